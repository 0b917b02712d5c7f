"""The test that counts (PRIVACY.md, section 6): what must not be stored goes in, in every spelling and every position,
through the whole program; afterwards it is in no byte of anything that the program wrote or said."""

from __future__ import annotations

import gzip
import json
import os
import pty
import resource
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click
import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import loganon.gate
from leaks import Needles, search_tree
from loganon.cli import root
from loganon.fields import FIELDS
from loganon.formats import Format, load_formats
from loganon.policy import parse_policy
from support.canaries import PLAIN_LINES, SPELLINGS, canary, planted
from support.cli import Command, Done
from support.runs import PLAIN, ingest, line, table_of

NOW = "2027-06-01T00:00:00Z"  # after all examples
FORMATS = load_formats()
TORN = "combined"
COMBINED = ("--format", "combined")
COMMANDS = root.list_commands(click.Context(root))  # type: ignore[attr-defined]  # a group, for mypy just a command
EVERYTHING = PLAIN.replace('"6 weeks"', '"unlimited"')
"""All fields, no minimum, any domain, no deletion: what could leak most."""

# A choice is a spelling, a word of a line of the format, and the way in which the word becomes a canary.
CHOICES = st.lists(
    st.tuples(st.integers(0, len(SPELLINGS) - 1), st.integers(0, 255), st.integers(0, 59)), min_size=100, max_size=100
).filter(lambda choices: len(set(choices)) > 70)  # hypothesis begins with the dullest
# A few large examples: each costs processes. HYPOTHESIS_PROFILE=explore does not change that.
FEW = settings(max_examples=1, phases=[Phase.generate], suppress_health_check=list(HealthCheck), deadline=None)


def prepared(folder: Path, choices: Sequence[tuple[int, int, int]]) -> tuple[dict[str, Path], Needles]:
    """A log of each format, a torn gzip of the first, a log of no format; and all that must not be found."""
    folder.mkdir(exist_ok=True)
    (folder / "policy.toml").write_text(EVERYTHING)
    logs, needles = {}, set()
    for number, (name, fmt) in enumerate(FORMATS.items()):
        data, found = planted(fmt, choices, first=1000 * number)
        needles |= found
        logs[name] = folder / f"{name}.log"
        logs[name].write_bytes(data)
    data, found = planted(FORMATS[TORN], choices, first=1000 * len(FORMATS))
    packed = gzip.compress(b"another log\n" + data)
    torn, junk = folder / "torn.log.gz", folder / "junk.log"
    torn.write_bytes(packed[: len(packed) * 2 // 3])
    junk.write_bytes(b"\n".join(needle for needle in sorted(found) if b"\n" not in needle))
    return logs | {"torn": torn, "junk": junk}, Needles(needles | found)


def said(needles: Needles, *done: Done) -> set[bytes]:
    return needles.found_in("\n".join(each.out + each.err for each in done).encode())


def on_terminal(command: Command, *arguments: object) -> bytes:
    """All that the command says on a terminal, progress included."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*command.python, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        cwd=command.folder,
        env=command.environment() | {"TERM": "xterm", "COLUMNS": "200"},
    ) as process:
        os.close(theirs)
        pieces = []
        while True:
            try:
                piece = os.read(ours, 1 << 16)
            except OSError:  # the other end is closed (Linux)
                break
            if not piece:
                break
            pieces.append(piece)
        os.close(ours)
        assert process.wait() in {0, 65, 66}
    return b"".join(pieces)


EACH = """
import io, sys
from loganon.cli import root
words = sys.argv[1:sys.argv.index("--")]
for log in sys.argv[sys.argv.index("--") + 1:]:
    name = log.rsplit("/", 1)[1].split(".")[0]
    for more in ([], ["--json"]):
        root.main([*words, *more, "--format", name, log], prog_name="loganon", standalone_mode=False)
"""
"""One process that goes through the command for each log and its format: a process for each would take minutes."""


@FEW
@given(CHOICES)
def test_no_canary_in_store_or_speech(
    tmp_path_factory: pytest.TempPathFactory, choices: list[tuple[int, int, int]]
) -> None:
    """`run` (JSON, text, on a terminal), `retain` and whatever else reads a store: no canary in any byte."""
    folder = tmp_path_factory.mktemp("run")
    logs, needles = prepared(folder, choices)
    command, store = Command(folder), folder / "store"
    each = replace(command, python=(sys.executable, "-c", EACH))
    common = ("--store", store, "--now", NOW, "--key-file", command.key)
    done = each("run", *common, "--policy", "policy.toml", "--final", "--", *(logs[name] for name in FORMATS))
    assert done.code == 0, done.err[-2000:]
    answers = [json.loads(text) for text in done.out.splitlines() if text.startswith("{")]
    assert len(answers) == len(FORMATS)
    assert all(answer["already_counted"] > PLAIN_LINES for answer in answers)
    found = [done, command("run", logs["torn"], *common, "--format", TORN, "--json", "--messages", "json")]
    assert found[-1].json["counted"] > PLAIN_LINES
    found += [command("run", *logs.values(), folder / "missing.log", *common, "--messages", "json")]
    assert found[-1].code == 66
    found += [command("retain", *common[:4], *extra) for extra in (("--dry-run",), ("--json",))]
    found += [command(name, *common[:4]) for name in ("status", "verify", "report") if name in COMMANDS]
    assert said(needles, *found) == set()
    fresh = folder / "fresh"
    terminal = on_terminal(
        command, "run", logs["combined"], logs["torn"], logs["junk"], "--format", "combined", "--store", fresh,
        "--now", NOW, "--key-file", folder / "key2", "--policy", folder / "policy.toml",
    )  # fmt: skip
    assert b"counted" in terminal
    assert needles.found_in(terminal) == set()
    for tree in (store, fresh):
        assert search_tree(tree, needles) == []
    assert table_of(store).num_rows > 20


@FEW
@given(CHOICES)
def test_no_canary_in_a_preview_or_behind_a_filter(
    tmp_path_factory: pytest.TempPathFactory, choices: list[tuple[int, int, int]]
) -> None:
    """What `preview` shows (rows, masked lines) and what `filter` writes holds no canary, for any format."""
    folder = tmp_path_factory.mktemp("shown")
    logs, needles = prepared(folder, choices)
    each = Command(folder, python=(sys.executable, "-c", EACH))
    for name in ("preview", "filter"):
        done = each(name, "--policy", "policy.toml", "--", *(logs[fmt] for fmt in FORMATS))
        assert (done.code, len(done.out) > 1000 * len(FORMATS)) == (0, True), done.err[-2000:]
        assert said(needles, done) == set()
        if name == "filter":  # each format is written, not refused
            answers = [json.loads(text) for text in done.err.splitlines() if text.startswith("{")]
            assert {answer["format"] for answer in answers if answer["written"] > PLAIN_LINES} == set(FORMATS)
    assert (folder / "home").exists() is False


# --- when it goes wrong ---------------------------------------------------------------------------------------------

FAIL = """
import os, sys, signal
from loganon import pipeline, gate
from loganon.cli import main
from loganon.store.files import Files
where = os.environ["WHERE"]
def fail(*given, **named):
    lines = "".join(str(getattr(each, "data", each)) for each in given)
    try:
        raise KeyError(lines)
    except KeyError as error:
        error.add_note(lines)
        if where == "abort":
            os.abort()
        raise ValueError(lines) from error
def killed(*given):
    os.kill(os.getpid(), signal.SIGKILL)
if where == "gate":
    gate.check = fail
elif where == "staged":
    Files.rename = killed
else:
    pipeline.Pipeline.parse = fail
main()
"""


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Needles]:
    """A log of the combined format with each spelling in several places."""
    folder = tmp_path_factory.mktemp("hostile")
    choices = [(at, at * 7, at % 60) for at in range(3 * len(SPELLINGS))]
    data, needles = planted(FORMATS["combined"], choices, first=1)
    (folder / "combined.log").write_bytes(data)
    return folder / "combined.log", Needles(needles)


def failing(tmp_path: Path, where: str) -> Command:
    return Command(tmp_path, python=(sys.executable, "-c", FAIL), variables={"WHERE": where})


@pytest.mark.parametrize("where", ["pipeline", "gate"])
@pytest.mark.parametrize("form", ["text", "json"])
def test_no_canary_in_an_error_inside_loganon(
    tmp_path: Path, hostile: tuple[Path, Needles], where: str, form: str
) -> None:
    """An exception that carries the lines themselves, as message, note and cause: only its kind and place are said."""
    log, needles = hostile
    done = failing(tmp_path, where)(
        "run", log, *COMBINED, "--store", tmp_path / "store", "--now", NOW, "--messages", form
    )
    assert done.code == 70
    assert "an error inside loganon" in done.err
    assert len(done.err.splitlines()) == 1
    assert said(needles, done) == set()
    assert search_tree(tmp_path, needles) == []


def test_no_canary_in_a_core_file(tmp_path: Path, hostile: tuple[Path, Needles]) -> None:
    """A process that aborts while it holds the lines leaves no core file, although its limit allows one."""
    log, needles = hostile
    words = ("run", log, *COMBINED, "--store", tmp_path / "store", "--now", NOW, "--key-file", tmp_path / "key")
    assert dumped(failing(tmp_path, "abort"), *words) is False
    assert [path.name for path in tmp_path.rglob("*core*")] == []
    assert search_tree(tmp_path, needles) == []


def test_a_core_file_would_be_seen(tmp_path: Path) -> None:
    """The control: a process without the protection leaves one, where the system writes any."""
    if not Path("/proc/sys/kernel/core_pattern").is_file():
        pytest.skip("no Linux: where core files go is not known")
    pattern = Path("/proc/sys/kernel/core_pattern").read_text().strip()
    if pattern.startswith("|") or resource.getrlimit(resource.RLIMIT_CORE)[1] == 0:
        pytest.skip("this system writes no core files")
    assert dumped(Command(tmp_path, python=(sys.executable, "-c", "import os; os.abort()"))) is True


def dumped(command: Command, *arguments: object) -> bool:
    """Whether the process, which must abort, left a core file by what the system says of its end."""

    def unlimited() -> None:
        hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
        resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))

    process = subprocess.Popen(
        [*command.python, *map(str, arguments)],
        cwd=command.folder,
        env=command.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=unlimited,  # noqa: PLW1509 - the tests start no threads that could hold a lock
    )
    _, status = os.waitpid(process.pid, 0)
    process.returncode = status
    assert os.WIFSIGNALED(status)
    return os.WCOREDUMP(status)


def test_no_canary_in_what_a_kill_leaves(tmp_path: Path, hostile: tuple[Path, Needles]) -> None:
    """Killed before the commit point: staging holds cells and records, and no canary; nor after the next run."""
    log, needles = hostile
    (tmp_path / "policy.toml").write_text(EVERYTHING)
    store = tmp_path / "store"
    words = ("run", log, *COMBINED, "--store", store, "--now", NOW, "--final")
    failing(tmp_path, "staged")(*words, "--policy", tmp_path / "policy.toml")
    assert list((store / "_loganon" / "staging").iterdir())
    assert search_tree(store, needles) == []
    assert Command(tmp_path)(*words).code == 0
    assert search_tree(store, needles) == []


# --- the controls: this test can fail ------------------------------------------------------------------------------

GATED = ("dotted", "six", "SIX", "e-mail", "e-mail escaped", "e-mail twice", "escaped", "mapped hex", "6to4", "nat64")
Identity = Callable[[pl.Series], tuple[pl.Series, ...]]


def untreated(values: pl.Series) -> tuple[pl.Series, ...]:
    return (values.cast(pl.String).fill_null("").rename("file"),)


@pytest.fixture
def switched_off(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """One field's treatment gives back what it gets."""
    name = str(request.param)
    row = replace(FIELDS[name], make=lambda *_: untreated)
    monkeypatch.setitem(FIELDS, name, row)  # type: ignore[arg-type]  # the table is read-only by its type only
    return name


def spelled(fmt: Format, name: str) -> tuple[bytes, dict[str, bytes]]:
    """Lines that carry a canary of each gated spelling where `name` is read from, and the canaries' texts."""
    assert fmt.name == "combined"
    texts = {spelling: canary(spelling, at).text for at, spelling in enumerate(GATED)}
    moment = datetime(2026, 11, 20, 12, tzinfo=UTC)
    if name == "domain":
        lines = [line(moment, client=text) for text in texts.values()]
    elif name == "file":
        lines = [line(moment, f"/x/{text}/y") for text in texts.values()]
    else:
        lines = [line(moment).replace(b"Firefox/120.0", text.encode()) for text in texts.values()]
    return b"".join(lines), {spelling: text.encode() for spelling, text in texts.items()}


NEGATIVE = pytest.mark.parametrize("switched_off", ["domain", "file", "browser"], indirect=True)


def policy_of_majors_only() -> str:
    return EVERYTHING.replace("family+major", "family")


@NEGATIVE
def test_without_a_treatment_the_gate_catches_its_shapes(tmp_path: Path, switched_off: str) -> None:
    """With one treatment switched off, each line is redacted, and no canary of the gate's shapes is stored."""
    data, texts = spelled(FORMATS["combined"], switched_off)
    log = tmp_path / "access.log"
    log.write_bytes(data)
    policy = parse_policy(policy_of_majors_only(), where="test")
    summary = ingest(tmp_path / "store", [log], policy=policy, format="combined")
    assert (summary.counted, summary.redacted) == (len(GATED), len(GATED))
    assert search_tree(tmp_path / "store", texts.values()) == []
    assert "{redacted}" in table_of(tmp_path / "store")[switched_off].to_pylist()


@NEGATIVE
def test_without_treatment_and_gate_the_search_finds_all(
    tmp_path: Path, switched_off: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the gate off, too, every canary is found in the store: the search is able to fail."""
    monkeypatch.setattr(loganon.gate, "check", lambda table, _schema, **_options: (table, 0))
    data, texts = spelled(FORMATS["combined"], switched_off)
    log = tmp_path / "access.log"
    log.write_bytes(data)
    policy = parse_policy(policy_of_majors_only(), where="test")
    summary = ingest(tmp_path / "store", [log], policy=policy, format="combined")
    assert (summary.counted, summary.redacted) == (len(GATED), 0)
    assert {hit.needle for hit in search_tree(tmp_path / "store", texts.values())} == set(texts.values())
