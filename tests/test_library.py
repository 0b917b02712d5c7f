"""The library: the same engine as the command, as calls; it reads no environment and prints nothing."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

import loganon
from loganon.errors import ConfigurationError, LoganonError, MissingInputError, UnreadableDataError
from loganon.keys import Key
from support.cli import SAMPLES, TIMEOUT, Command
from support.runs import NOW, check_balance, counts_of, hours_of, line, lines, plain_policy, rows_of, table_of

SECRET = b"0123456789abcdef0123456789abcdef"
LOG = lines(30)
REASONS = {"malformed", "binary", "too_long", "partial", "expired", "future", "excluded", "no_consent"}
COLUMNS = {
    "time": pa.timestamp("ms", tz="UTC"),
    "domain": pa.string(),
    "file": pa.string(),
    "browser": pa.string(),
    "browser_version": pa.string(),
    "success": pa.bool_(),
    "bytes": pa.int64(),
}


def write(path: Path, content: list[bytes]) -> Path:
    path.write_bytes(b"".join(content))
    return path


# --- names --------------------------------------------------------------------------------------------------------


def test_importing_it_is_cheap() -> None:
    """`import loganon` imports neither polars nor pyarrow; what it names is loaded on use."""
    code = (
        "import sys, loganon\n"
        "heavy = {'polars', 'pyarrow', 'pydantic', 'click', 'rich'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "assert set(dir(loganon)) >= set(loganon.__all__)\n"
        "assert callable(loganon.run) and 'polars' in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, timeout=TIMEOUT, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_help_is_cheap(tmp_path: Path) -> None:
    """`--help`, also that of a command, imports no polars."""
    code = (
        "import sys\nfrom loganon.cli import main\n"
        "try:\n    main()\nfinally:\n    print({'polars', 'pyarrow'} & set(sys.modules), file=sys.stderr)\n"
    )
    command = Command(tmp_path, python=(sys.executable, "-c", code))
    for words in (("--help",), ("preview", "--help"), ("retain", "--help")):
        done = command(*words)
        assert (done.code, done.err.strip()) == (0, "set()"), words


def test_the_public_names() -> None:
    """Each name of `__all__` is there, documented, and nothing else can be had."""
    for name in loganon.__all__:
        found = getattr(loganon, name)
        assert name.startswith("__") or (found.__doc__ and len(found.__doc__) > 20), name
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = loganon.no_such_name


def test_a_key_does_not_show_its_secret() -> None:
    """Neither in its repr nor in that of what holds it."""
    key = Key(SECRET)
    for text in (repr(key), str(key), repr([key]), f"{key}"):
        assert "0123456789abcdef" not in text
        assert SECRET.hex() not in text
    assert SECRET.hex() not in key.check


# --- run ----------------------------------------------------------------------------------------------------------


def test_run(tmp_path: Path) -> None:
    """Counts into a store; the summary's dictionary is the object of `run --json`; the second run counts nothing."""
    log = write(tmp_path / "x.log", LOG)
    summary = loganon.run([log], policy=loganon.load_policy("imos"), store=tmp_path / "s", key=SECRET, now=NOW)
    found = summary.as_dict()
    check_balance(found)
    assert (summary.exit_code, found["counted"], found["policy"], summary.errors) == (0, 30, "imos", [])
    assert hours_of(tmp_path / "s") == counts_of(LOG)
    again = loganon.run([str(log)], store=str(tmp_path / "s"), key=SECRET, now=NOW)
    assert again.as_dict()["already_counted"] == 30


def test_run_takes_a_policy_in_three_ways(tmp_path: Path) -> None:
    """A name, a path, a Policy; another than the store's is refused."""
    log = write(tmp_path / "x.log", LOG)
    path = Path(__file__).parents[1] / "configs" / "six-weeks.toml"
    for policy in ("six-weeks", str(path), loganon.load_policy(path)):
        assert loganon.run([log], policy=policy, store=tmp_path / "s", key=SECRET, now=NOW).policy == "six-weeks"
    with pytest.raises(ConfigurationError, match="six-weeks"):
        loganon.run([log], policy="imos", store=tmp_path / "s", key=SECRET, now=NOW)


def test_run_tells_errors_of_single_logs(tmp_path: Path) -> None:
    """They are in the summary, not raised; the other logs are counted."""
    log = write(tmp_path / "x.log", LOG)
    summary = loganon.run([tmp_path / "missing.log", log], store=tmp_path / "s", key=SECRET, now=NOW)
    assert (summary.exit_code, summary.counted) == (66, 30)
    assert [type(error).exit_code for error in summary.errors] == [66]
    assert isinstance(summary.errors[0], LoganonError)


@pytest.mark.parametrize("name", ["a\0b", "a\ud800"], ids=["NUL", "half a character"])
def test_a_path_that_no_file_can_have(name: str, tmp_path: Path) -> None:
    """Such a log is missing (66), and others are read; anything else is refused (78), by what it is the path of."""
    log, store = tmp_path / "a.log", tmp_path / "s"
    log.write_bytes(b"".join(lines(3)))
    done = loganon.run([name, log], store=store, key=SECRET, now=NOW)
    assert [error.exit_code for error in done.errors] == [66]
    assert done.counted == 3
    calls: dict[str, Callable[[], object]] = {
        "the store": lambda: loganon.run([log], store=f"{tmp_path}/{name}", key=SECRET),
        "the key": lambda: loganon.run([log], store=store, key=f"{tmp_path}/{name}"),
        "the policy": lambda: loganon.load_policy(Path(name)),
        "a provider database": lambda: loganon.anonymize(log, provider_db=[name]),
    }
    for what, call in calls.items():
        with pytest.raises(ConfigurationError, match=f"no file can have the path of {what}"):
            call()
    with pytest.raises(MissingInputError):
        loganon.anonymize(Path(name))


@pytest.mark.parametrize(("mode", "told"), [(0o600, False), (0o440, False), (0o644, True), (0o444, True)])
def test_a_key_that_everybody_may_read(mode: int, told: bool, tmp_path: Path) -> None:
    """It is taken, since it may lie where nobody else is; that it is none of a secret is told."""
    log, key = write(tmp_path / "x.log", LOG), tmp_path / "key"
    key.write_bytes(SECRET)
    key.chmod(mode)
    for done in (loganon.run([log], store=tmp_path / "s", key=key, now=NOW) for _ in range(2)):
        assert (done.exit_code, done.lines_read) == (0, 30)
        assert sum(f"{key}: every user of this system may read the key" in text for text in done.warnings) == told


def test_run_with_a_key_file(tmp_path: Path) -> None:
    """A path names the key's file, made for its owner only."""
    log = write(tmp_path / "x.log", LOG)
    loganon.run([log], store=tmp_path / "s", key=tmp_path / "k" / "key", now=NOW)
    assert stat.S_IMODE((tmp_path / "k" / "key").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "k").stat().st_mode) == 0o700
    again = loganon.run([log], store=tmp_path / "s", key=str(tmp_path / "k" / "key"), now=NOW)
    assert again.already_counted == 30


@pytest.mark.parametrize("now", [NOW, NOW.replace(tzinfo=None), NOW.astimezone(timezone(timedelta(hours=9)))])
def test_now(tmp_path: Path, now: datetime) -> None:
    """A time without an offset is UTC."""
    log = write(tmp_path / "x.log", [line(NOW + timedelta(hours=23)), line(NOW + timedelta(hours=25), "/future")])
    summary = loganon.run([log], store=tmp_path / "s", key=SECRET, now=now)
    assert (summary.counted, summary.rejected["future"]) == (1, 1)


@pytest.mark.parametrize("now", [NOW.replace(year=9999), NOW.replace(year=1), NOW.date(), "2026-11-21", "", 0])
def test_no_moment_of_a_clock(tmp_path: Path, now: Any) -> None:
    """It is refused before anything is made, as the command refuses it: no cutoff can be reckoned from it."""
    with pytest.raises(ConfigurationError, match="no moment of a clock"):
        loganon.run([], store=tmp_path / "s", key=SECRET, now=now)
    with pytest.raises(ConfigurationError, match="no moment of a clock"):
        loganon.batches(b"", now=now)
    assert not (tmp_path / "s").exists()


def test_it_leaves_the_process_alone(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It prints nothing, reads no variable, changes no umask and no signal handler; modes are its own."""
    import signal  # noqa: PLC0415 - the one test that looks at handlers

    monkeypatch.setenv("LOGANON_STORE", str(tmp_path / "not-this"))
    monkeypatch.setenv("LOGANON_POLICY", "six-weeks")
    monkeypatch.setenv("LOGANON_KEY_FILE", str(tmp_path / "not-this-key"))
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    mask = os.umask(0)
    try:
        summary = loganon.run([write(tmp_path / "x.log", LOG)], store=tmp_path / "s", key=SECRET, now=NOW)
        loganon.anonymize(LOG)
        loganon.scan(tmp_path / "s").collect()
        assert os.umask(0) == 0
    finally:
        os.umask(mask)
    assert summary.policy == "imos"
    assert handlers == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    assert capfd.readouterr() == ("", "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s", "x.log"]
    for path in (tmp_path / "s", *(tmp_path / "s").rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


# --- anonymize ----------------------------------------------------------------------------------------------------


def sources() -> dict[str, object]:
    """The same lines in every form that is taken."""
    texts = [each.decode() for each in LOG]
    return {
        "bytes": b"".join(LOG),
        "bytes without the last LF": b"".join(LOG)[:-1],
        "list of bytes": LOG,
        "list of str": texts,
        "list without LF": [text.rstrip("\n") for text in texts],
        "generator": (text for text in texts),
        "file": __import__("io").BytesIO(b"".join(LOG)),
        "pyarrow": pa.table({"n": range(30), "line": [text.rstrip("\n") for text in texts]}),
        "pyarrow, one column": pa.table({"message": pa.array(LOG, pa.binary())}),
        "record batch": pa.record_batch({"line": texts}),
        "polars": pl.DataFrame({"line": texts, "other": [1] * 30}),
        "polars, one column": pl.DataFrame({"message": texts}),
    }


@pytest.mark.parametrize("form", sources())
def test_anonymize_takes(form: str) -> None:
    """Bytes, lists, tables and frames give the same rows: one a line, in order, with the permitted columns."""
    result = loganon.anonymize(sources()[form], policy="imos")  # type: ignore[arg-type]  # every form
    assert [(field.name, field.type) for field in result.table.schema] == list(COLUMNS.items())
    assert result.table["bytes"].to_pylist() == list(range(1, 31))
    assert result.table["file"].to_pylist() == [f"/p/{n}.html" for n in range(30)]
    assert set(result.rejected) == REASONS
    assert (sum(result.rejected.values()), result.redacted) == (0, 0)


def test_anonymize_of_nothing() -> None:
    """An empty input gives an empty, typed table."""
    for nothing in (b"", [], pa.table({"line": pa.array([], pa.string())}), b"\n\n\r\n"):
        result = loganon.anonymize(nothing, format="combined")
        assert (result.table.num_rows, result.table.column_names) == (0, list(COLUMNS))
        assert sum(result.rejected.values()) == 0


def test_anonymize_rejects() -> None:
    """Lines by reason; without `now` none is expired or future, with it they are."""
    odd = [
        b"no line\n",
        b"a\0b\n",
        b"x" * (1 << 21) + b"\n",
        line(datetime(1995, 8, 1, tzinfo=UTC)),
        line(NOW + timedelta(days=2)),
    ]
    result = loganon.anonymize([*LOG, *odd])
    assert {k: n for k, n in result.rejected.items() if n} == {"malformed": 1, "binary": 1, "too_long": 1}
    assert result.table.num_rows == 32
    result = loganon.anonymize([*LOG, *odd], now=NOW)
    assert (result.rejected["expired"], result.rejected["future"], result.table.num_rows) == (1, 1, 30)


def test_anonymize_says_what_it_cannot_read() -> None:
    """No format fits: an error without a word of the input; an unknown format likewise."""
    with pytest.raises(UnreadableDataError) as raised:
        loganon.anonymize(b"jane.doe@example.org was here\n")
    assert "jane" not in str(raised.value)
    with pytest.raises(ConfigurationError, match="combined"):
        loganon.anonymize(LOG, format="combind")


def test_anonymize_gives_the_rows_of_run(tmp_path: Path) -> None:
    """Aggregated they are what a run stores before sealing: for each sample log, with the same options."""
    database = SAMPLES / "providers.mmdb"
    for name in ("shop.access.log", "hosts.access.log", "vhosts.access.log", "old.access.log"):
        log = SAMPLES / name
        result = loganon.anonymize(log.read_bytes(), policy=plain_policy(), provider_db=[database], now=NOW)
        store = tmp_path / name
        summary = loganon.run([log], policy=plain_policy(), store=store, key=SECRET, provider_db=[database], now=NOW)
        assert rows_of(result.table) == rows_of(table_of(store))
        assert result.rejected == summary.rejected
        assert result.table.num_rows == summary.counted


def test_a_result_shows_no_input() -> None:
    """Its repr holds no address of the input."""
    assert "91.44.26.11" not in repr(loganon.anonymize(LOG))


# --- scan ---------------------------------------------------------------------------------------------------------

SCANNED = {
    "time": pl.Datetime("ms", "UTC"),
    "domain": pl.String(),
    "file": pl.String(),
    "browser": pl.String(),
    "browser_version": pl.String(),
    "success": pl.Boolean(),
    "requests": pl.Int64(),
    "bytes": pl.Int64(),
    "date": pl.Date(),
}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with three days, of which the oldest is sealed."""
    found = [line(NOW - timedelta(days=days, minutes=n), f"/d{days}") for days in (4, 1, 0) for n in range(6)]
    summary = loganon.run([write(tmp_path / "x.log", found)], store=tmp_path / "s", key=SECRET, now=NOW)
    assert [str(day) for day in summary.sealed] == ["2026-11-17"]
    return tmp_path / "s"


def test_scan(store: Path) -> None:
    """A lazy frame with the policy's columns in order, and the date."""
    frame = loganon.scan(store)
    assert isinstance(frame, pl.LazyFrame)
    assert dict(frame.collect_schema()) == SCANNED
    assert list(frame.collect_schema()) == list(SCANNED)
    table = frame.collect()
    assert table["requests"].sum() == 18
    assert sorted({str(day) for day in table["date"]}) == ["2026-11-17", "2026-11-20", "2026-11-21"]
    assert (table["time"].dt.date() == table["date"]).all()
    assert table.null_count().sum_horizontal().item() == 0
    assert frame.filter(pl.col("date") == datetime(2026, 11, 20, tzinfo=UTC).date()).collect()["requests"].sum() == 6


def test_scan_of_sealed_days(store: Path) -> None:
    """With `sealed` only days whose rare values are folded."""
    table = loganon.scan(store, sealed=True).collect()
    assert {str(day) for day in table["date"]} == {"2026-11-17"}
    assert dict(table.schema) == SCANNED


def test_scan_of_an_empty_store(tmp_path: Path) -> None:
    """Typed, and empty; so is the sealed part of one that has no sealed day."""
    loganon.run(
        [write(tmp_path / "x.log", [line(datetime(1995, 8, 1, tzinfo=UTC))])], store=tmp_path / "s", key=SECRET, now=NOW
    )
    for sealed in (False, True):
        frame = loganon.scan(str(tmp_path / "s"), sealed=sealed)
        assert dict(frame.collect_schema()) == SCANNED
        assert frame.collect().shape == (0, len(SCANNED))


@pytest.mark.parametrize(
    "above", ["s[1]", "s*", "s?", "a b", "x%20y", "region=eu", "date=2020-01-01", "date=x", "file=a"]
)
def test_scan_takes_the_path_as_it_is(store: Path, tmp_path: Path, above: str) -> None:
    """A folder's name above the store is no pattern, by which others' cells would be counted too, and no column."""
    truth = loganon.scan(store).collect()
    (tmp_path / above).mkdir()
    (tmp_path / above / "s").symlink_to(store)
    beside = tmp_path / "s1" / "s"  # which all three patterns mean as well
    beside.parent.mkdir()
    beside.symlink_to(store)
    frame = loganon.scan(tmp_path / above / "s")
    assert dict(frame.collect_schema()) == SCANNED
    assert frame.collect().equals(truth)
    day = pl.col("date") == datetime(2026, 11, 20, tzinfo=UTC).date()
    assert frame.filter(day).collect().equals(truth.filter(day))


def test_scan_without_a_store(tmp_path: Path) -> None:
    """78, and nothing is made."""
    with pytest.raises(ConfigurationError, match="no store"):
        loganon.scan(tmp_path / "s")
    assert not (tmp_path / "s").exists()


def test_the_command_ends_at_once() -> None:
    """Its output is whole, and no library cleans up behind it: that was seen to abort the process (134)."""
    code = (
        "import atexit, sys; from loganon.cli.start import main; atexit.register(lambda: print('cleaned up'));"
        "sys.argv[1:] = {}; main()"
    )
    for words, expected, says in ((["--version"], 0, "version"), (["run"], 2, "")):
        ended = subprocess.run([sys.executable, "-c", code.format(words)], capture_output=True, text=True, check=False)
        assert ended.returncode == expected, ended.stderr
        assert says in ended.stdout
        assert "cleaned up" not in ended.stdout
