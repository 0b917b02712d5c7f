"""Many sites by one configuration file: each with its store and policy, and none spoils the others."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from loganon import job
from loganon.cli import sites as command_sites
from loganon.errors import ConfigurationError
from loganon.settings import parse_settings
from loganon.sites import Readings, Sites, find_feeds, find_sites
from loganon.store import LocalStore
from support.cli import SAMPLES, Command, Done, Inside, without_override
from support.object_server import CREDENTIALS, moto_server, require_server
from support.runs import NOW, cells, days, line, rows_of, table_of

AT = ("--now", "2026-11-21T12:00:00Z")
ERROR_LOG = b"2026/11/21 10:00:00 [error] 7#7: *1 open() failed, client: 203.0.113.7, server: a\n" * 3
PLAIN = """
[[input]]
logs = "logs/{site}.access.log*"
store = "stores/{site}"
"""
GIVEN = PLAIN + 'format = "combined"\n'  # detection takes most of the time of a small log


@pytest.fixture
def command(tmp_path: Path) -> Inside:
    """The command, in a folder with a configuration of one input for all sites."""
    (tmp_path / "logs").mkdir()
    write(tmp_path, GIVEN)
    return Inside(tmp_path)


def write(folder: Path, text: str) -> None:
    (folder / "loganon.toml").write_text(f'key_file = "key"\nprovider_db = "{SAMPLES}/providers.mmdb"\n{text}')


def log(folder: Path, name: str, count: int = 3, *, tag: str = "", hours: int = 2) -> Path:
    """A log in the folder `logs`, with lines that are its own."""
    path = folder / "logs" / name
    moment = NOW - timedelta(hours=hours)
    path.write_bytes(b"".join(line(moment, f"/{tag or name}/{n}") for n in range(count)))
    return path


def run(command: Command, *arguments: object) -> Done:
    return command("run", "--config", "loganon.toml", *AT, "--key-file", command.key, *arguments)


def answers(done: Done) -> dict[str, dict]:
    """The object of each store, by its name."""
    return {Path(each["store"]).name: each for each in done.json["stores"]}


def found(folder: Path, text: str) -> Sites:
    return find_sites(parse_settings(text, where=folder / "loganon.toml").input)


# --- forty ----------------------------------------------------------------------------------------------------------


def test_forty_sites(tmp_path: Path) -> None:
    """Of forty sites one holds another policy, one log is empty, one an error log: 39 are right, through the real
    command. 37 have counted as if alone; the empty log and the error log are left out, and listed; the broken one is
    reported (78). A second run counts nothing again.
    """
    command = Command(tmp_path)
    (tmp_path / "logs").mkdir()
    write(tmp_path, PLAIN)
    for number in range(40):
        log(tmp_path, f"s{number:02}.access.log", number + 1)
    assert command("run", "logs/s07.access.log", "--store", "stores/s07", "--policy", "six-weeks", *AT).code == 0
    write(tmp_path, PLAIN + 'policy = "imos"\n')
    (tmp_path / "logs" / "s08.access.log").write_bytes(b"")
    (tmp_path / "logs" / "s09.access.log").write_bytes(ERROR_LOG)
    done = run(command, "--json")
    assert done.code == 78
    done.message("stores/s07", "the policy given differs")
    stores = answers(done)
    assert len(stores) == 40
    right = {name: each for name, each in stores.items() if name not in ("s07", "s08", "s09")}
    assert {name: each["counted"] for name, each in right.items()} == {name: int(name[1:]) + 1 for name in right}
    assert {each["exit_code"] for each in right.values()} == {0}
    assert stores["s07"]["exit_code"] == 78
    assert stores["s08"]["skipped"] == [{"log": str(tmp_path / "logs/s08.access.log"), "reason": "empty"}]
    assert stores["s09"]["skipped"] == [{"log": str(tmp_path / "logs/s09.access.log"), "reason": "error_log"}]
    assert sum(each["exit_code"] == 0 for each in stores.values()) == 39
    alone = tmp_path / "alone"
    database = ("--provider-db", SAMPLES / "providers.mmdb")
    assert command("run", "logs/s39.access.log", "--store", alone, *database, *AT).code == 0
    assert rows_of(table_of(alone)) == rows_of(table_of(tmp_path / "stores" / "s39"))
    second = answers(run(command, "--json"))
    assert sum(each["counted"] for each in second.values()) == 0
    assert sum(each["already_counted"] for each in second.values()) == sum(range(1, 41)) - 8 - 9 - 10


@pytest.mark.parametrize(
    ("spoil", "code", "said"),
    [
        (lambda folder: (folder / "stores" / "bad").write_bytes(b""), 78, "stores/bad"),
        (lambda folder: (folder / "logs" / "bad.access.log").write_bytes(b"no line\n"), 65, "fits no line"),
        (
            lambda folder: (folder / "logs" / "bad.access.log").write_bytes(gzip.compress(line(NOW) * 900)[:-99]),
            65,
            "is damaged",
        ),
    ],
)
def test_one_bad_site(command: Inside, tmp_path: Path, spoil: Callable[[Path], None], code: int, said: str) -> None:
    """A site that cannot be written, or whose log is of no use, has its own exit code; those before and behind are
    right, and the code over all is the first that applies."""
    (tmp_path / "stores").mkdir()
    for name in ("a", "bad", "z"):
        log(tmp_path, f"{name}.access.log")
    spoil(tmp_path)
    done = run(command, "--json")
    stores = answers(done)
    assert done.code == stores["bad"]["exit_code"] == code, done.err
    assert said in done.err
    assert said in stores["bad"]["errors"][0]
    assert (stores["a"]["counted"], stores["z"]["counted"]) == (3, 3)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a privileged tester keep to the modes of files")
@pytest.mark.parametrize(
    ("place", "mode", "said"),
    [
        ("logs/bad.access.log", 0, "this log cannot be opened: Permission denied"),
        ("logs", 0o400, "the folder of the logs cannot be read"),
        ("logs", 0o300, "the folder of the logs cannot be read"),
    ],
)
def test_what_may_not_be_read(command: Inside, tmp_path: Path, place: str, mode: int, said: str) -> None:
    """A log that a glob finds and this user may not read is an error (66), not one that has gone meanwhile; so is a
    folder that may only be listed, or only be entered. What is due is deleted all the same, and other sites are read.
    """
    log(tmp_path, "bad.access.log", hours=30 * 24)
    log(tmp_path, "z.access.log")
    assert run(command).code == 0
    log(tmp_path, "z.access.log", 5)
    (tmp_path / place).chmod(mode)
    words = ("run", "--config", "loganon.toml", "--json", "--now", "2026-12-10T00:00:00Z")
    done = Command(tmp_path)(*words, preexec_fn=without_override)
    (tmp_path / place).chmod(0o700)
    assert (done.code, answers(done)["bad"]["exit_code"]) == (66, 66 if mode == 0 else 0), done.err
    done.message(said, f"/{place}.")
    assert answers(done)["bad"]["partitions_dropped"] == ["2026-10-22"]
    assert answers(done)["z"]["lines_read"] == (5 if mode == 0 else 0)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a privileged tester keep to the modes of files")
@pytest.mark.parametrize("mode", [0, 0o400, 0o300])
@pytest.mark.parametrize("pattern", ["/logs/{site}/access.log*", "/*/{site}/access.log*", "/logs/*/w*/a*.log"])
def test_one_folder_of_many_may_not_be_read(tmp_path: Path, pattern: str, mode: int) -> None:
    """A folder that only a wild card leads to, and that may not be read, is named: nobody knows whether logs are in it,
    so that it is no error. One in which a log of a fixed name would lie need not be listed.
    """
    for name in ("logs/a", "logs/bad", "logs/a/w", "logs/bad/w"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "access.log").write_bytes(line(NOW - timedelta(hours=2), f"/{name}"))
    store = "stores/{site}" if "{site}" in pattern else "stores/all"
    write(tmp_path, f"[[input]]\nlogs = '{tmp_path}{pattern}'\nstore = '{store}'\nformat = 'combined'\n")
    (tmp_path / "logs" / "bad").chmod(mode)
    words = ("run", "--config", "loganon.toml", "--json", *AT)
    done = Command(tmp_path)(*words, preexec_fn=without_override)
    (tmp_path / "logs" / "bad").chmod(0o700)
    assert done.code == 0, done.err
    assert sum(each["counted"] for each in answers(done).values()) == 1
    assert done.err == f"loganon: {tmp_path}/logs/bad: this user may not read this folder; logs in it are left out\n"


def test_a_fault_of_ours_in_one_site(command: Inside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception inside loganon, with a line in it, is one site's (70): only its kind and place are said."""
    for name in ("a", "bad", "z"):
        log(tmp_path, f"{name}.access.log")
    whole = job.run

    def fails(inputs: list, **named: object) -> object:
        if "bad" in inputs[0].log:
            raise ValueError("203.0.113.7 - - [")
        return whole(inputs, **named)  # type: ignore[arg-type]  # passed on as it came

    monkeypatch.setattr(job, "run", fails)
    done = run(command, "--json")
    stores = answers(done)
    assert (done.code, stores["bad"]["exit_code"]) == (70, 70)
    assert "ValueError" in done.err
    assert "203.0.113" not in done.out + done.err
    assert (stores["a"]["counted"], stores["z"]["counted"]) == (3, 3)


def test_a_busy_store(command: Inside, tmp_path: Path) -> None:
    """A store that another process holds is 75 for itself alone."""
    for name in ("a", "busy", "z"):
        log(tmp_path, f"{name}.access.log")
    assert run(command).code == 0
    for name in ("a", "busy", "z"):
        log(tmp_path, f"{name}.access.log", 5)
    with LocalStore.open(tmp_path / "stores" / "busy").locked():
        done = run(command, "--json", "--wait", "0s")
    stores = answers(done)
    assert done.code == stores["busy"]["exit_code"] == 75
    assert (stores["a"]["counted"], stores["busy"]["counted"], stores["z"]["counted"]) == (2, 0, 2)


# --- what is opened -------------------------------------------------------------------------------------------------


def test_a_missing_database_is_its_own_inputs_fault(command: Inside, tmp_path: Path) -> None:
    """What one input names and is not there stops its sites only, is told once, before any log is read; what is due in
    their stores is deleted all the same.
    """
    old = log(tmp_path, "bad-1.access.log", hours=24 * 41)
    assert command("run", old, "--store", "stores/bad-1", "--now", "2026-10-12T00:00:00Z").code == 0
    assert len(days(tmp_path / "stores" / "bad-1")) == 1
    log(tmp_path, "bad-2.access.log")
    log(tmp_path, "good.access.log")
    write(
        tmp_path,
        '[[input]]\nlogs = "logs/bad-{site}.access.log*"\nstore = "stores/bad-{site}"\nprovider_db = "gone.mmdb"\n'
        '[[input]]\nlogs = "logs/go{site}.access.log*"\nstore = "stores/go{site}"\n',
    )
    done = run(command, "--json", "--now", "2026-11-22T00:00:00Z", "--accept-cutoff", "2026-11-22")
    stores = answers(done)
    assert done.code == 78
    assert done.err.count("gone.mmdb") == 1
    assert days(tmp_path / "stores" / "bad-1") == []
    assert stores["bad-1"]["partitions_dropped"] != []
    assert (stores["bad-1"]["exit_code"], stores["bad-2"]["exit_code"], stores["good"]["counted"]) == (78, 78, 3)
    assert not (tmp_path / "stores" / "bad-2").exists()


def test_nothing_on_standard_output_where_nothing_worked(command: Inside, tmp_path: Path) -> None:
    """78 for every store: standard output stays empty, as with one; a policy's name is told with the nearest one."""
    log(tmp_path, "a.access.log")
    write(tmp_path, PLAIN + 'policy = "imoss"\n')
    done = run(command, "--json")
    assert (done.code, done.out) == (78, "")
    done.message('no bundled policy is named "imoss"', 'Did you mean "imos"?')


def test_a_mistake_in_the_file_stops_all(command: Inside, tmp_path: Path) -> None:
    """A file that is wrong in itself is 78 with every mistake; no log is read and no store made."""
    log(tmp_path, "a.access.log")
    write(tmp_path, PLAIN + 'formt = "x"\ntimezone = "y"\n')
    done = run(command, "--json")
    assert (done.code, done.out) == (78, "")
    assert len(done.err.splitlines()) == 2
    assert not (tmp_path / "stores").exists()


def test_opened_once(tmp_path: Path) -> None:
    """Inputs that name the same databases share them; logs of one input and one stream share one reading."""
    for name in ("a.log", "a.log.1", "b.log"):
        (tmp_path / name).write_bytes(line(NOW))
    text = f'provider_db = "{SAMPLES / "providers.mmdb"}"\n'
    text += '[[input]]\nlogs = "{site}.log*"\nstore = "s"\n[[input]]\nlogs = "a*"\nstore = "t"\nformat = "combined"\n'
    readings = Readings()
    sites = found(tmp_path, text).sites
    inputs = [each for site in sites for each in readings.inputs(site)]
    assert [(Path(each.log).name, each.reading.stream) for each in inputs] == [
        ("a.log", "a"), ("a.log.1", "a"), ("b.log", "b"), ("a.log", None), ("a.log.1", None)
    ]  # fmt: skip
    assert len({id(each.reading.lookups) for each in inputs}) == 1
    assert inputs[0].reading is inputs[1].reading
    assert inputs[0].reading is not inputs[2].reading
    assert inputs[3].reading.format is not None
    assert [each.reading for each in readings.inputs(sites[0])] == [each.reading for each in inputs[:3]]
    assert all(each.found for each in inputs)


# --- which stores ---------------------------------------------------------------------------------------------------


def test_rotation_and_new_sites(command: Inside, tmp_path: Path) -> None:
    """A site that appears gets its store; logs that were rotated and compressed meanwhile stay counted once."""
    first = log(tmp_path, "a.access.log")
    assert run(command).code == 0
    data = first.read_bytes()
    first.unlink()
    (tmp_path / "logs" / "a.access.log.1.gz").write_bytes(gzip.compress(data))
    log(tmp_path, "a.access.log", 2, tag="later")
    log(tmp_path, "b.access.log", 4)
    done = run(command, "--json")
    stores = answers(done)
    assert (stores["a"]["counted"], stores["a"]["already_counted"], stores["b"]["counted"]) == (2, 3, 4)
    record = next(iter(LocalStore.open(tmp_path / "stores" / "b").records().values()))
    assert record.stream == "b"


def test_a_site_whose_logs_are_gone_is_pruned(command: Inside, tmp_path: Path) -> None:
    """A store that stands is gone through although no log of its site is there any more: what is due goes."""
    log(tmp_path, "gone.access.log")
    log(tmp_path, "stays.access.log")
    assert run(command).code == 0
    (tmp_path / "logs" / "gone.access.log").unlink()
    later = ("--now", "2027-01-02T00:00:00Z", "--accept-cutoff", "2027-01-02")
    done = run(command, "--json", *later)
    assert (done.code, days(tmp_path / "stores" / "gone")) == (0, []), done.err
    assert answers(done)["gone"]["partitions_dropped"] == ["2026-11-21"]


def test_no_log_yet(command: Inside, tmp_path: Path) -> None:
    """A glob without a log is a note; no store is made for it."""
    write(tmp_path, PLAIN + '[[input]]\nlogs = "logs/one.log*"\nstore = "stores/one"\n')
    done = run(command, "--json")
    assert (done.code, done.json) == (0, {"stores": []})
    assert [text.endswith("no log is there.") or "no log is there" in text for text in done.err.splitlines()] == [
        True
    ] * 2
    assert not (tmp_path / "stores").exists()
    assert run(command, "--quiet").err == ""


def test_hostile_names(tmp_path: Path) -> None:
    """A log from whose name a store outside of the folder, or none that can be shown, would come is set aside."""
    for name in ("x...log", "x.ssh.log", "xa\nb.log", "xgood.log"):
        (tmp_path / name).write_bytes(b"")
    seen = found(tmp_path, '[[input]]\nlogs = "x{site}.log"\nstore = "stores/{site}"\n')
    assert [site.store for site in seen.sites] == [f"{tmp_path}/stores/good"]
    assert len(seen.errors) == 3
    assert {error.exit_code for error in seen.errors} == {65}
    assert all("\n" not in str(error) for error in seen.errors)


def test_two_policies_for_one_store(command: Inside, tmp_path: Path) -> None:
    """Inputs that give one store different policies: nothing is read into it (78), the other stores are right."""
    for name in ("a.access.log", "a.ssl.log", "b.ssl.log"):
        log(tmp_path, name)
    write(
        tmp_path,
        PLAIN + '[[input]]\nlogs = "logs/{site}.ssl.log*"\nstore = "./stores/../stores/{site}"\npolicy = "six-weeks"\n',
    )
    done = run(command, "--json")
    stores = answers(done)
    assert (done.code, stores["b"]["counted"], stores["a"]["counted"]) == (78, 3, 0)
    done.message("stores/a", "different policies")
    assert not (tmp_path / "stores" / "a").exists()


def test_a_log_of_two_stores(command: Inside, tmp_path: Path) -> None:
    """It is counted into both, and that is told; where one of its inputs would remove it, nothing is read (78)."""
    for name in ("a.access.log", "b.access.log"):
        log(tmp_path, name)
    other = '[[input]]\nlogs = "logs/a.access.log"\nstore = "other"\n'
    write(tmp_path, '[[input]]\nlogs = "logs/*.access.log"\nstore = "all"\n' + other)
    done = run(command, "--json")
    assert (done.code, [found["counted"] for found in done.json["stores"]]) == (0, [6, 3])
    assert "several stores" in done.err
    write(tmp_path, '[[input]]\nlogs = "logs/*.access.log"\nstore = "all"\nremove_source = true\n' + other)
    done = run(command, "--json")
    assert done.code == 78
    assert "a.access.log" in done.err
    assert sorted(path.name for path in (tmp_path / "logs").iterdir()) == ["a.access.log", "b.access.log"]


def test_a_store_within_a_store(command: Inside, tmp_path: Path) -> None:
    """A site whose name leads into another store's folder is refused, and that store is right."""
    log(tmp_path, "access.access.log")
    log(tmp_path, "main.log")
    write(
        tmp_path,
        '[[input]]\nlogs = "logs/{site}.access.log"\nstore = "store/{site}"\n'
        '[[input]]\nlogs = "logs/main.log"\nstore = "store"\n',
    )
    done = run(command, "--json")
    assert done.code == 78
    assert "within the store" in done.err
    assert answers(done)["store"]["counted"] == 3
    assert not (tmp_path / "store" / "access" / "_loganon").exists()


def test_streams_in_one_store(command: Inside, tmp_path: Path) -> None:
    """A store without `{site}` takes the streams of all sites; a log that two inputs name is the first one's."""
    for name in ("a.access.log", "b.access.log"):
        log(tmp_path, name)
    text = '[[input]]\nlogs = "logs/{site}.access.log*"\nstore = "store"\n'
    write(tmp_path, text + '[[input]]\nlogs = "logs/*"\nstore = "store"\nstream = "all"\n')
    done = run(command, "--json")
    assert done.code == 0, done.err
    assert answers(done)["store"]["counted"] == 6
    streams = {record.stream for record in LocalStore.open(tmp_path / "store").records().values()}
    assert streams == {"a", "b"}


@pytest.mark.parametrize("link", [Path.symlink_to, Path.hardlink_to])
def test_a_site_whose_log_is_another_sites(command: Inside, tmp_path: Path, link: Callable[[Path, Path], None]) -> None:
    """Of several names of one file the lines are counted once, also into a store of all sites, and also where a name is
    added later and comes before the others.
    """
    shop = log(tmp_path, "shop.access.log")
    link(shop.with_name("www.access.log"), shop)
    write(tmp_path, '[[input]]\nlogs = "logs/{site}.access.log*"\nstore = "store"\n')
    sums = [run(command, "--json").json["stores"][0]]
    link(shop.with_name("alias.access.log"), shop)
    sums.append(run(command, "--json").json["stores"][0])
    assert [(each["lines_read"], each["counted"], each["already_counted"]) for each in sums] == [(6, 3, 3), (9, 0, 9)]
    assert {record.stream for record in LocalStore.open(tmp_path / "store").records().values()} == {"shop"}


def test_a_site_whose_log_begins_like_anothers(command: Inside, tmp_path: Path) -> None:
    """Streams that are named are logs of their own: one that is the beginning of another is counted, and known."""
    shop = log(tmp_path, "shop.access.log")
    log(tmp_path, "www.access.log").write_bytes(shop.read_bytes() * 2)
    write(tmp_path, '[[input]]\nlogs = "logs/{site}.access.log*"\nstore = "store"\n')
    sums = [run(command, "--json").json["stores"][0] for _ in range(2)]
    assert [(each["counted"], each["already_counted"]) for each in sums] == [(9, 0), (0, 9)]
    assert [[source["lines_read"] for source in each["sources"]] for each in sums] == [[3, 6], [3, 6]]


def test_sites_in_a_bucket(tmp_path: Path) -> None:
    """Logs and stores of all sites may lie in a bucket; a store there whose logs are gone is pruned, too."""
    require_server()
    with moto_server() as server:
        bucket = server.new_bucket()
        for name in ("a", "b"):
            data = b"".join(line(NOW - timedelta(hours=2), f"/{name}/{n}") for n in range(3))
            server.client.put_object(Bucket=bucket, Key=f"logs/{name}.access.log", Body=data)
        write(
            tmp_path,
            f'[[input]]\nlogs = "s3://{bucket}/logs/{{site}}.access.log*"\nstore = "s3://{bucket}/stores/{{site}}"\n'
            'format = "combined"\n',
        )
        names = {
            "access_key_id": "AWS_ACCESS_KEY_ID",
            "secret_access_key": "AWS_SECRET_ACCESS_KEY",
            "region": "AWS_REGION",
        }
        variables = {names[name]: value for name, value in CREDENTIALS.items()}
        command = Inside(
            tmp_path, variables=variables | {"AWS_ENDPOINT_URL": server.endpoint, "AWS_ALLOW_HTTP": "true"}
        )
        done = run(command, "--json")
        assert done.code == 0, done.err
        assert {name: each["counted"] for name, each in answers(done).items()} == {"a": 3, "b": 3}
        server.client.delete_object(Bucket=bucket, Key="logs/a.access.log")
        late = run(command, "--json", "--now", "2027-01-02T00:00:00Z", "--accept-cutoff", "2027-01-02")
        assert answers(late)["a"]["partitions_dropped"] == ["2026-11-21"], late.err
        write(tmp_path, f'[[input]]\nlogs = "s3://{bucket}/none*"\nstore = "s3://{bucket}/stores/none"\n')
        assert run(command, "--quiet").err == ""


def test_what_is_followed(tmp_path: Path) -> None:
    """A follower watches, of an input with `{site}`, each site's own globs; another site appears with its first log;
    how a site's logs are read stays one object.
    """
    (tmp_path / "a*.log").write_bytes(b"")
    text = '[[input]]\nlogs = ["{site}.log*", "old/{site}.log"]\nstore = "s/{site}"\n'
    text += '[[input]]\nlogs = "other*"\nstore = "t"\n'
    inputs = parse_settings(text, where=tmp_path / "loganon.toml").input
    (one, other), readings = find_feeds(inputs), Readings()
    assert (one.store, one.site) == (f"{tmp_path}/s/a*", "a*")
    assert one.patterns == (f"{tmp_path}/a[*].log*", f"{tmp_path}/old/a[*].log")
    assert (other.store, other.patterns, other.site) == (f"{tmp_path}/t", (f"{tmp_path}/other*",), None)
    (tmp_path / "b.log").write_bytes(b"")
    again = find_feeds(inputs)
    assert [feed.site for feed in again] == ["a*", "b", None]
    assert readings.of(again[0]) is readings.of(one)
    assert readings.of(one).stream == "a*"


def test_exclusions(command: Inside, tmp_path: Path) -> None:
    """Each kind of rule of the file leaves lines out, counted as `excluded`; one input's rules are its own."""
    moment = NOW - timedelta(hours=2)
    bot = line(moment, "/bot").replace(b"Mozilla/5.0 (X11", b"Mozilla/5.0 (compatible; Googlebot/2.1; X11")
    head = line(moment, "/head").replace(b'"GET', b'"HEAD')
    lines = [line(moment, "/a"), line(moment, "/healthz?x=1"), line(moment, client="10.1.2.3"), bot, head]
    for name in ("a.access.log", "b.log"):
        (tmp_path / "logs" / name).write_bytes(b"".join(lines))
    rules = '[{ path = "/health*" }, { client = "10.0.0.0/8" }, { browser = "bots" }, { method = "head" }]'
    write(tmp_path, f'{GIVEN}exclude = {rules}\n[[input]]\nlogs = "logs/b.log"\nstore = "stores/b"\n')
    stores = answers(run(command, "--json"))
    assert (stores["a"]["counted"], stores["a"]["rejected"]["excluded"]) == (1, 4)
    assert (stores["b"]["counted"], stores["b"]["rejected"]["excluded"]) == (5, 0)
    assert {key[2] for key in rows_of(table_of(tmp_path / "stores" / "a"))} == {"/a"}


# --- what goes before what ------------------------------------------------------------------------------------------


def test_precedence(command: Inside, tmp_path: Path) -> None:
    """Option, then the command's variable, then the general one, then the file."""
    log(tmp_path, "a.access.log")
    write(tmp_path, PLAIN + 'format = "common"\npolicy = "imos"\n')
    assert run(command).code == 65  # as the file says: no line is of that format
    general = {"LOGANON_CONFIG": str(tmp_path / "loganon.toml"), "LOGANON_KEY_FILE": str(command.key)}
    own = Inside(tmp_path, variables=general | {"LOGANON_RUN_FORMAT": "combined", "LOGANON_POLICY": "six-weeks"})
    assert own("run", "--quiet", *AT, "--policy", "imos").code == 0
    assert LocalStore.open(tmp_path / "stores" / "a").policy.name == "imos"
    last = Inside(tmp_path, variables=general | {"LOGANON_RUN_POLICY": "six-weeks", "LOGANON_POLICY": "imos"})
    log(tmp_path, "b.access.log")
    assert last("run", "--quiet", *AT, "--format", "combined").code == 78  # the store of a has another policy
    assert LocalStore.open(tmp_path / "stores" / "b").policy.name == "six-weeks"


def test_named_logs_go_before_the_inputs(command: Inside, tmp_path: Path) -> None:
    """With LOG the inputs are not gone through; what the file says for all inputs holds for the named log."""
    path = log(tmp_path, "a.access.log")
    write(tmp_path, 'exclude = [{ path = "*/1" }]\nwriter = "w1"\n' + PLAIN)
    done = run(command, path, "--store", "mine", "--json")
    assert (done.code, done.json["counted"], done.json["rejected"]["excluded"]) == (0, 2, 1)
    assert not (tmp_path / "stores").exists()
    assert {cell.name.split(".")[1] for cell in cells(tmp_path / "mine")} == {"w1"}
    (record,) = LocalStore.open(tmp_path / "mine").records().values()
    assert record.stream == "a.access.log"


def test_one_store_of_many(command: Inside, tmp_path: Path) -> None:
    """`--store` with a configuration takes that site alone, and answers as for one store."""
    for name in ("a", "b"):
        log(tmp_path, f"{name}.access.log")
    done = run(command, "--store", "stores/b", "--json")
    assert (done.code, done.json["counted"]) == (0, 3)
    assert not (tmp_path / "stores" / "a").exists()


def test_default_file(command: Inside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The default file is taken where neither a log nor a store is named, and only there."""
    monkeypatch.setattr(command_sites, "DEFAULT_CONFIG", tmp_path / "loganon.toml")
    path = log(tmp_path, "a.access.log")
    assert command("run", path, "--store", "mine", *AT).code == 0
    assert not (tmp_path / "stores").exists()
    assert command("run", "--store", "mine", *AT).code == 2
    assert command("run", *AT, "--quiet").code == 0
    assert (tmp_path / "stores" / "a").exists()
    assert command("retain", *AT, "--json").json["stores"][0]["store"].endswith("stores/a")
    assert command("retain", "--store", "mine", *AT, "--json").json["store"] == "mine"


@pytest.mark.parametrize("words", [["run"], ["retain"], ["run", "--store", "s"], ["run", "x.log"]])
def test_nothing_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    """Without a configuration a log and a store must be named (2)."""
    monkeypatch.setattr(command_sites, "DEFAULT_CONFIG", tmp_path / "none.toml")
    done = Inside(tmp_path)(*words)
    assert (done.code, done.out) == (2, "")
    done.message("Missing")


def test_a_stream_for_all_is_refused(command: Inside, tmp_path: Path) -> None:
    """`--stream` names one log: with a configuration it is a mistake (2)."""
    log(tmp_path, "a.access.log")
    assert run(command, "--stream", "x").code == 2


# --- retention and words --------------------------------------------------------------------------------------------


def test_retain(command: Inside, tmp_path: Path) -> None:
    """`retain` goes through all stores; one that is damaged stops no other; the plan is per store."""
    for name in ("a", "b", "c"):
        log(tmp_path, f"{name}.access.log")
    assert run(command).code == 0
    (tmp_path / "stores" / "b" / "_loganon" / "store.json").write_bytes(b"{")
    later = ("--config", "loganon.toml", "--now", "2027-01-02T00:00:00Z", "--accept-cutoff", "2027-01-02")
    dry = command("retain", *later, "--dry-run", "--json")
    assert [len(each["plan"]) for each in dry.json["stores"]] == [1, 0, 1]
    assert days(tmp_path / "stores" / "a") == ["2026-11-21"]
    text = command("retain", *later)
    assert text.code == dry.code == dry.json["stores"][1]["exit_code"] != 0
    assert "stores/b" in text.err
    assert text.out.count("deleted") == 2
    assert days(tmp_path / "stores" / "a") == days(tmp_path / "stores" / "c") == []


def test_said_per_site(command: Inside, tmp_path: Path) -> None:
    """The text is each site's own; a site's errors are JSON where messages are."""
    log(tmp_path, "a.access.log")
    (tmp_path / "logs" / "b.access.log").write_bytes(b"no line\n")
    done = run(command, "--messages", "json")
    assert [text.split()[0] for text in done.out.splitlines()] == [
        f"{tmp_path}/logs/a.access.log",
        f"{tmp_path}/stores/a",
        f"{tmp_path}/logs/b.access.log",
        f"{tmp_path}/stores/b",
    ]
    assert [json.loads(text)["level"] for text in done.err.splitlines()][-1] == "error"


def test_errors_stop_before_the_first_log(tmp_path: Path) -> None:
    """A site that is refused says why when its readings are asked for."""
    (tmp_path / "a.log").write_bytes(line(NOW))
    text = '[[input]]\nlogs = "{site}.log"\nstore = "s/{site}"\nformat_file = "gone.toml"\n'
    site = found(tmp_path, text).sites[0]
    with pytest.raises(Exception, match=r"gone\.toml"):
        Readings().inputs(site)
    with pytest.raises(ConfigurationError, match="configuration"):
        parse_settings("x = ", where=tmp_path / "loganon.toml")
