"""`follow` through a configuration file: one follower for each store, more as sites appear, none spoils another."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from loganon.errors import InternalError
from loganon.following.figures import Figures
from loganon.following.follower import Follower
from loganon.following.followers import AGAIN, SEARCH_EVERY, Followers
from loganon.following.pace import Terms
from loganon.following.session import Session, Target
from loganon.following.troubles import Teller
from loganon.following.watch import Watch
from loganon.lookups import open_lookups
from loganon.policy import Policy
from loganon.reading import Reading
from loganon.settings import parse_settings
from loganon.store import LocalStore
from loganon.summary import Summary
from support.cli import Command, Inside
from support.following import Clock, Said, scraped
from support.runs import KEY, PLAIN, check_balance, counts_of, hours_of, lines, write_key
from support.servers import free_port, until

SITES = """
[[input]]
logs = "logs/{site}.access.log*"
store = "stores/{site}"
policy = "plain.toml"
format = "combined"
"""


class Sites:
    """The followers of a configuration in a folder; each call is a tick after so many seconds."""

    def __init__(self, folder: Path, text: str = SITES, *, only: str | None = None, clock: Clock | None = None) -> None:
        self.folder = folder
        self.clock = clock or Clock()
        self.said = Said()
        (folder / "logs").mkdir(exist_ok=True)
        if not (folder / "plain.toml").exists():
            (folder / "plain.toml").write_text(PLAIN)
        nothing = Reading(lookups=open_lookups((), ()))
        terms = Terms(flush_interval=10.0, wait=0.0)

        def make(store: str, policy: Policy | str | None, teller: Teller, *, prune: bool) -> Follower | None:
            assert not prune or Path(store).exists()
            target = Target(path=Path(store), policy=policy, key=KEY)
            return Follower(target, (), (), nothing, ticker=self.clock, teller=teller, terms=terms)

        inputs = parse_settings(text, where=folder / "loganon.toml").input
        self.followers = Followers(
            inputs,
            make,
            ticker=self.clock,
            teller=self.said,
            fault=lambda error: InternalError(type(error).__name__),
            only=only,
        )

    def __call__(self, seconds: float = 11, times: int = 1) -> None:
        for _ in range(times):
            self.clock.go(seconds)
            self.followers.tick()

    def log(self, name: str, content: list[bytes]) -> None:
        with (self.folder / "logs" / name).open("ab") as file:
            file.write(b"".join(content))

    def counted(self, site: str) -> dict[Any, Any]:
        return hours_of(self.folder / "stores" / site)

    def figures(self, site: str) -> Figures:
        return next(each for each in self.followers.figures if Path(each.store).name == site)

    def end(self) -> dict[str, Summary]:
        summaries = self.followers.finish()
        for summary in summaries:
            check_balance(summary.as_dict())
        return {Path(summary.store).name: summary for summary in summaries}


@pytest.fixture
def sites(tmp_path: Path) -> Iterator[Sites]:
    found = Sites(tmp_path)
    yield found
    found.followers.close()


def test_each_site_has_its_store(sites: Sites) -> None:
    """Each log goes into the store of its site, rotated forms included, each line once; a site that appears later is
    found by itself."""
    sites.log("a.access.log", lines(30, tag="a"))
    sites.log("b.access.log.1", lines(10, tag="old"))
    sites.log("b.access.log", lines(20, tag="b"))
    sites(1)
    assert sites.counted("a") == counts_of(lines(30, tag="a"))
    assert sites.counted("b") == counts_of([*lines(10, tag="old"), *lines(20, tag="b")])
    sites.log("c.access.log", lines(40, tag="c"))
    (sites.folder / "logs/a.access.log").rename(sites.folder / "logs/a.access.log.1")
    sites.log("a.access.log", lines(5, tag="a2"))
    sites(SEARCH_EVERY + 1)
    assert sites.counted("c") == counts_of(lines(40, tag="c"))
    assert sites.counted("a") == counts_of([*lines(30, tag="a"), *lines(5, tag="a2")])
    summaries = sites.end()
    assert {name: summary.as_dict()["counted"] for name, summary in summaries.items()} == {"a": 35, "b": 30, "c": 40}
    assert not sites.said.errors


def test_inputs_of_one_store(tmp_path: Path) -> None:
    """Two inputs and two sites of one of them feed one store, each read as its input says; what both name goes by the
    first of them."""
    text = """
store = "stores/all"
policy = "plain.toml"
[[input]]
logs = "logs/{site}.access.log*"
format = "combined"
exclude = [{ path = "/a/0.html" }]
[[input]]
logs = ["logs/*.access.log", "logs/other"]
format = "combined"
"""
    sites = Sites(tmp_path, text)
    sites.log("a.access.log", lines(10, tag="a"))
    sites.log("other", lines(20, tag="o"))
    sites(1)
    sites.log("b.access.log", lines(30, tag="b"))
    sites(SEARCH_EVERY + 1)
    summary = sites.end()["all"].as_dict()
    assert summary["rejected"]["excluded"] == 1
    assert (summary["lines_read"], summary["counted"]) == (60, 59)
    records = LocalStore.open(tmp_path / "stores/all").records().values()
    assert sorted(record.stream for record in records) == ["a", "b", "other"]


def test_a_site_whose_log_is_another_sites(tmp_path: Path) -> None:
    """A link to a site's log, which another follower finds first, is that site's: its lines are not counted again."""
    text = 'store = "stores/all"\npolicy = "plain.toml"\n' + SITES.partition("store")[0] + 'format = "combined"\n'
    content = lines(15, tag="a")
    for part in (content[:10], content[10:]):
        sites = Sites(tmp_path, text)
        sites.log("shop.access.log", part)
        sites(1)
        summary = sites.end()["all"].as_dict()
        sites.followers.close()
        alias = tmp_path / "logs/alias.access.log"
        alias.unlink(missing_ok=True)
        alias.symlink_to("shop.access.log")
    assert (summary["counted"], summary["lines_read"]) == (5, 15)
    assert [record.stream for record in LocalStore.open(tmp_path / "stores/all").records().values()] == ["shop"]


def test_a_bad_site_spoils_no_other(sites: Sites) -> None:
    """A store that is none: that is said once, tried again, and over when it is put right; the others never wait."""
    (sites.folder / "stores").mkdir()
    (sites.folder / "stores/a").write_text("no directory")
    sites.log("a.access.log", lines(30, tag="a"))
    sites.log("b.access.log", lines(20, tag="b"))
    sites(1, times=20)
    assert sites.counted("b") == counts_of(lines(20, tag="b"))
    assert len(sites.said.errors) == 1
    assert (sites.figures("a").ready, sites.figures("b").ready) == (False, True)
    assert sites.figures("a").troubles == 1
    (sites.folder / "stores/a").unlink()
    sites(AGAIN + 1, times=2)
    assert sites.counted("a") == counts_of(lines(30, tag="a"))
    assert sites.figures("a").troubles == 0
    assert {name: summary.exit_code for name, summary in sites.end().items()} == {"a": 0, "b": 0}


def test_what_an_input_names_is_missing(tmp_path: Path) -> None:
    """A format file that is not there: said once for all sites of the input, the other input goes on; it is tried again
    after a minute."""
    text = (
        SITES.replace('format = "combined"', 'format_file = "mine.toml"')
        + '[[input]]\nlogs = "logs/x"\nstore = "stores/x"\n'
    )
    sites = Sites(tmp_path, text + 'policy = "plain.toml"\nformat = "combined"\n')
    for name in ("a", "b"):
        sites.log(f"{name}.access.log", lines(10, tag=name))
    sites.log("x", lines(20))
    sites(1, times=15)
    assert sites.counted("x") == counts_of(lines(20))
    assert [str(error).count("mine.toml") for error in sites.said.errors] == [1]
    assert not (tmp_path / "stores/a").exists()
    assert not sites.figures("a").ready
    assert sites.followers.finish()[0].exit_code == 66


def test_it_is_tried_again(tmp_path: Path) -> None:
    """A policy that is put right is taken within a minute or so, and that is said."""
    (tmp_path / "plain.toml").write_text("name = ")
    sites = Sites(tmp_path)
    sites.log("a.access.log", lines(10))
    sites(5)
    assert len(sites.said.errors) == 1
    (tmp_path / "plain.toml").write_text(PLAIN)
    sites(5, times=10)
    assert not (tmp_path / "stores/a").exists()
    sites(5, times=4)
    assert sites.counted("a") == counts_of(lines(10))
    assert any(note.startswith("no longer: ") for note in sites.said.notes)
    assert sites.end()["a"].exit_code == 0


def test_a_store_without_logs_is_pruned(sites: Sites) -> None:
    """A standing store whose logs are gone, or whose policy's file names another, loses what is past its day."""
    for name in ("gone", "other"):
        sites.log(f"{name}.access.log", lines(10, tag=name))
    sites(1)
    sites.end()
    (sites.folder / "logs/gone.access.log").unlink()
    (sites.folder / "plain.toml").write_text(PLAIN.replace("6 weeks", "7 weeks"))
    sites.clock.go(43 * 86400)
    later = Sites(sites.folder, clock=sites.clock)
    later(1, times=3)
    assert not sites.counted("gone")
    assert not sites.counted("other")
    summaries = later.end()
    assert (summaries["gone"].exit_code, summaries["other"].exit_code) == (0, 78)
    assert [str(error).count("policy") > 0 for error in later.said.errors] == [True]


def test_a_fault_of_ours(sites: Sites, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception that nobody expected in one site's round is that site's error; nothing of it is lost or twice."""
    attempt = Session.attempt
    broken = True

    def failing(self: Session, summary: Summary, *args: Any, **named: Any) -> None:
        attempt(self, summary, *args, **named)
        if broken and summary.store.endswith("/a"):
            raise ZeroDivisionError

    monkeypatch.setattr(Session, "attempt", failing)
    for name in ("a", "b"):
        sites.log(f"{name}.access.log", lines(10, tag=name))
    sites(1, times=3)
    assert [str(error) for error in sites.said.errors] == ["ZeroDivisionError."]
    assert sites.counted("b") == counts_of(lines(10, tag="b"))
    broken = False
    sites.log("a.access.log", lines(10, tag="more"))
    sites(5, times=3)
    assert sites.counted("a") == counts_of([*lines(10, tag="a"), *lines(10, tag="more")])
    assert sites.end()["a"].exit_code == 0


def test_a_fault_of_ours_in_looking(sites: Sites, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception that one site's logs raise while a thread looks at all is told, and the others are looked at on."""
    for name in ("a", "b"):
        sites.log(f"{name}.access.log", lines(10, tag=name))
    sites(1, times=3)
    scan = Watch.scan

    def failing(self: Watch, moment: float, wall: float) -> None:
        if any(each.log.endswith("/a.access.log") for each in self.held):
            raise ZeroDivisionError
        scan(self, moment, wall)

    with monkeypatch.context() as patch:
        patch.setattr(Watch, "scan", failing)
        for name in ("a", "b"):
            sites.log(f"{name}.access.log", lines(10, tag=f"{name}2"))
        for _ in range(3):
            sites.clock.go(11)
            sites.followers.look()
            sites.followers.tick(look=False)
    assert [str(error) for error in sites.said.errors] == ["ZeroDivisionError."]
    assert sites.counted("b") == counts_of([*lines(10, tag="b"), *lines(10, tag="b2")])
    sites(61, times=2)
    assert sites.counted("a") == counts_of([*lines(10, tag="a"), *lines(10, tag="a2")])
    assert sites.end()["a"].exit_code == 0


def test_one_store_of_many(tmp_path: Path) -> None:
    """With `--store` that one site is followed, and no other."""
    sites = Sites(tmp_path, only=str(tmp_path / "stores/b"))
    for name in ("a", "b"):
        sites.log(f"{name}.access.log", lines(10, tag=name))
    sites(1)
    assert sites.counted("b") == counts_of(lines(10, tag="b"))
    assert not (tmp_path / "stores/a").exists()
    assert list(sites.end()) == ["b"]


def test_as_a_process(tmp_path: Path) -> None:
    """Three sites, one of them broken, by the configuration file: one metrics page with a sample of each store, options
    go over the file, and one object for each store at the end; the exit code is that of the broken one."""
    folder, port = tmp_path, free_port()
    start = datetime.now(UTC) - timedelta(days=1)
    (folder / "logs").mkdir()
    (folder / "stores").mkdir()
    (folder / "stores/bad").write_text("no directory")
    (folder / "plain.toml").write_text(PLAIN)
    write_key(folder / "key")
    (folder / "loganon.toml").write_text('key_file = "key"\n' + SITES.replace("combined", "common"))
    for name in ("a", "b", "bad"):
        (folder / f"logs/{name}.access.log").write_bytes(b"".join(lines(10, start=start, minutes=0, tag=name)))
    command = Command(folder)
    words = [
        "follow",
        "--config",
        "loganon.toml",
        "--format",
        "combined",
        "--json",
        "--accept-clock",
        "--listen",
        str(port),
    ]
    process = subprocess.Popen(
        [*command.python, *words, "--key-file", "key"],
        cwd=folder,
        env=command.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:

        def counted() -> dict[str, float]:
            assert process.poll() is None, process.communicate()
            return {Path(key["store"]).name: value for key, value in scraped(port, "loganon_lines_read_total")}

        until(lambda: counted() == {"a": 10, "b": 10, "bad": 0})
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
        process.communicate()
    answers = {Path(each["store"]).name: each for each in json.loads(out)["stores"]}
    assert {name: (each["lines_read"], each["exit_code"]) for name, each in answers.items()} == {
        "a": (10, 0),
        "b": (10, 0),
        "bad": (0, 78),
    }
    assert answers["a"]["sources"][0]["format"] == "combined"
    assert process.returncode == 78
    assert err.decode().count("not a directory") == 2  # when it began, and for the exit code


def test_what_is_wrong_at_once(tmp_path: Path) -> None:
    """A configuration that is wrong in itself, or none: 78, and 2, before anything is followed."""
    command = Inside(tmp_path)
    (tmp_path / "loganon.toml").write_text("nonsense = 1\n[[input]]\nlogs = 'x'\nstore = 's'\n")
    assert command("follow", "--config", "loganon.toml").code == 78
    assert command("follow", "--store", "store").code == 2
    assert command("follow", "s3://bucket/x.log", "--store", "store", "--key-file", "key").code == 78
