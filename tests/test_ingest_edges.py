"""Edges of a run: what a conflict, a twin, a damaged record or an odd option must not do."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import loganon
from loganon import batching
from loganon.errors import ConfigurationError
from loganon.ingest import Ingest
from loganon.lookups import open_lookups
from loganon.openlog import texts_of
from loganon.reading import Input, Reading
from loganon.recognition import SAMPLE_BYTES
from loganon.sources.identity import Beginning
from loganon.store import ConflictError, LocalStore
from loganon.twins import find_twins
from support.runs import cells, ingest, lines

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def line(minute: int, path: str = "/a") -> str:
    return f'203.0.113.7 - - [20/Nov/2026:10:{minute:02}:41 +0000] "GET {path} HTTP/1.1" 200 10\n'


def run(folder: Path, *logs: Path | str, now: datetime = NOW, **options: object) -> loganon.Summary:
    return loganon.run(list(logs), store=folder / "store", key=folder / "key", now=now, **options)  # type: ignore[arg-type]  # as given


def test_a_record_holds_no_exact_time(tmp_path: Path) -> None:
    """The policy permits the hour: a source's record says no more of its newest line."""
    (tmp_path / "access.log").write_text(line(37), "utf-8")
    run(tmp_path, tmp_path / "access.log")
    (record,) = (tmp_path / "store" / "_loganon" / "sources").iterdir()
    assert json.loads(record.read_bytes())["newest"] == "2026-11-20T10:00:00+00:00"


def test_an_empty_label_is_refused(tmp_path: Path) -> None:
    """A script's unset variable as `--stream` is no label under which a known log would be new."""
    (tmp_path / "access.log").write_text(line(1), "utf-8")
    run(tmp_path, tmp_path / "access.log")
    with pytest.raises(ConfigurationError, match="label is empty"):
        run(tmp_path, tmp_path / "access.log", stream="")


@dataclass
class Waiting:
    """Of a log what a batch asks of it: `asked`, how often."""

    tables: list[pa.Table]
    asked: int = 0

    @property
    def rows(self) -> int:
        self.asked += 1
        return sum(table.num_rows for table in self.tables)

    @property
    def texts(self) -> int:
        return sum(texts_of(table) for table in self.tables)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 30), st.booleans(), st.booleans()), max_size=30))
def test_a_batch_is_full_when_its_rows_or_texts_fill_it(steps: list[tuple[int, int, bool, bool]]) -> None:
    """Whatever comes and is counted together, in whichever of its logs, it is known when all of them hold too much."""
    logs = [Waiting([]) for _ in range(4)]
    fill = batching.Fill()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batching, "FLUSH_ROWS", 60)
        patch.setattr(batching, "FLUSH_TEXTS", 300)
        for number, rows, alike, counted in steps:
            if counted:
                logs[number].tables.clear()
            texts = ["/a" if alike else f"/{row:09}" for row in range(rows)]
            more = pa.table([pa.array(texts, pa.string()).dictionary_encode()], ["file"])
            logs[number].tables.append(more)
            held = sum(log.rows for log in logs) / 60, sum(log.texts for log in logs) / 300
            assert fill.is_full(logs, more) == (max(held) >= 1)  # type: ignore[arg-type]  # it asks for no more


def test_of_many_logs_in_a_batch_few_are_asked() -> None:
    """What a log adds to a batch does not cost the more, the more logs are in it."""
    logs = [Waiting([]) for _ in range(1000)]
    fill = batching.Fill()
    more = pa.table([pa.array(["a"]).dictionary_encode()], ["file"])
    assert not any(fill.is_full(logs, more) for _ in logs)  # type: ignore[arg-type]  # as above
    assert sum(log.asked for log in logs) == 0


def test_standard_input_is_not_lost_in_a_conflict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another run overtakes a log of the same run: standard input, which cannot be read again, is counted, too."""
    (tmp_path / "access.log").write_text(line(1), "utf-8")
    piped = tmp_path / "piped"
    piped.write_text(line(2) + line(3), "utf-8")
    commit, calls = Ingest._commit, []

    def overtaken(self: Ingest, parts: list[object]) -> None:
        calls.append(len(parts))
        if len(calls) == 1:
            raise ConflictError("another run has counted this log")
        commit(self, parts)  # type: ignore[arg-type]  # as it came

    monkeypatch.setattr(Ingest, "_commit", overtaken)
    with piped.open() as stream:
        monkeypatch.setattr("sys.stdin", stream)
        summary = run(tmp_path, "-", tmp_path / "access.log")
    assert (summary.exit_code, summary.counted, summary.skipped) == (0, 3, [])


@pytest.mark.parametrize(
    "before",
    ["x" * (SAMPLE_BYTES + 1) + "\n", "x" * (3 << 20) + "\n", "\r\n" * SAMPLE_BYTES],
    ids=["long", "longer", "empty"],
)
def test_standard_input_is_read_behind_what_says_nothing(
    before: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its format is told as a file's is: refused for its first line, all lines of a pipe would be lost for good."""
    piped = tmp_path / "piped"
    piped.write_text(before + line(2) + line(3), "utf-8", newline="")
    with piped.open() as stream:
        monkeypatch.setattr("sys.stdin", stream)
        summary = run(tmp_path, "-")
    assert (summary.exit_code, summary.counted, summary.lines_read) == (0, 2, 2 + bool(before.strip()))


def test_all_lines_excluded_is_no_other_format(tmp_path: Path) -> None:
    """A log of which every line is left out by rule is read: the lines are `excluded`, not of an unknown format."""
    (tmp_path / "access.log").write_text(line(1) + line(2), "utf-8")
    summary = run(tmp_path, tmp_path / "access.log", exclude=[{"path": "/a"}])
    assert (summary.exit_code, summary.rejected["excluded"], summary.lines_read) == (0, 2, 2)
    assert run(tmp_path, tmp_path / "access.log").already_counted == 2


def test_the_frozen_policy_by_its_name(tmp_path: Path) -> None:
    """The name of the frozen policy is accepted, whatever the bundled one of that name says by now."""
    text = loganon.policy.bundled()["imos"].replace('keep_for = "6 weeks"', 'keep_for = "5 weeks"')  # type: ignore[attr-defined]  # a submodule
    (tmp_path / "mine.toml").write_text(text, "utf-8")
    (tmp_path / "access.log").write_text(line(1), "utf-8")
    assert run(tmp_path, tmp_path / "access.log", policy=tmp_path / "mine.toml").counted == 1
    assert run(tmp_path, tmp_path / "access.log", policy="imos").already_counted == 1
    with pytest.raises(ConfigurationError, match="its own policy"):
        run(tmp_path, tmp_path / "access.log", policy="six-weeks")


def test_a_zone_without_a_name_is_refused(tmp_path: Path) -> None:
    """A record must be able to name its zone: a bare offset cannot be recorded."""
    (tmp_path / "access.log").write_text(line(1), "utf-8")
    with pytest.raises(ConfigurationError, match="zone has no name"):
        run(tmp_path, tmp_path / "access.log", timezone=timezone(timedelta(hours=2)))


def test_a_damaged_record_stops_no_deletion(tmp_path: Path) -> None:
    """A source's record that cannot be read keeps no partition beyond its day."""
    (tmp_path / "access.log").write_text(line(1), "utf-8")
    run(tmp_path, tmp_path / "access.log")
    (record,) = (tmp_path / "store" / "_loganon" / "sources").iterdir()
    record.write_text("{", "utf-8")
    run(tmp_path, now=NOW + timedelta(days=42))
    assert [part.day for part in LocalStore.open(tmp_path / "store").partitions()] == []


def test_the_beginning_of_two_that_differ_is_read(tmp_path: Path) -> None:
    """A log whose longer twin is set aside does not vanish: it is judged by itself."""
    start = "".join(line(n % 60, f"/{n}") for n in range(100))
    (tmp_path / "t1.log").write_text(start, "utf-8")
    (tmp_path / "t2.log").write_text(start + line(1, "/x"), "utf-8")
    (tmp_path / "t3.log").write_text(start + line(1, "/y"), "utf-8")
    summary = run(tmp_path, *sorted(tmp_path.glob("t?.log")))
    assert sorted(summary.skipped) == [(str(tmp_path / f"t{n}.log"), "set_aside") for n in (2, 3)]
    assert (summary.counted, [log.log for log in summary.logs]) == (100, [str(tmp_path / "t1.log")])


def test_logs_under_one_header_are_not_laid_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which logs of a run may begin alike is told by their lines: a year of W3C logs, all under one header, has few."""
    paths = []
    for n in range(40):
        content = "".join(
            f"2026-11-21 10:{n:02}:{second:02} GET /a/page/of/site/{second} 200\n" for second in range(50)
        )
        paths.append(tmp_path / f"u_ex{n}.log")
        paths[-1].write_text(
            f"#Version: 1.0\n#Date: 2026-11-21\n#Fields: date time cs-method cs-uri sc-status\n{content}"
        )
    (tmp_path / "copy.log").write_bytes(paths[7].read_bytes())
    reading = Reading(lookups=open_lookups((), ()))
    asked = []
    alike = Beginning.is_alike
    monkeypatch.setattr(Beginning, "is_alike", lambda one, other: asked.append(1) or alike(one, other))
    found = find_twins({str(path): Input(str(path), reading) for path in (*paths, tmp_path / "copy.log")})
    assert found.equal == {str(tmp_path / "copy.log"): str(paths[7])}
    assert len(asked) < 41


@pytest.mark.parametrize("key", [b"", b" " * 40, b"short"])
def test_a_key_too_short_is_refused(tmp_path: Path, key: bytes) -> None:
    """The library takes no key that the key file would not hold."""
    (tmp_path / "access.log").write_text(line(1), "utf-8")
    with pytest.raises(ConfigurationError, match="shorter than 16 bytes"):
        loganon.run([tmp_path / "access.log"], store=tmp_path / "store", key=key, now=NOW)


def test_fifty_logs_of_one_day_commit_together(tmp_path: Path) -> None:
    """Each cell is written once for all of them, not once for each log."""
    begin = NOW.replace(hour=0) - timedelta(days=1)
    logs = []
    for n in range(50):
        log = tmp_path / f"site-{n}.log"
        log.write_bytes(b"".join(lines(24, start=begin + timedelta(minutes=n), minutes=60, tag=f"s{n}")))
        logs.append(log)
    summary = ingest(tmp_path / "store", logs)
    assert (summary.counted, summary.cells_written) == (50 * 24, 24)
    assert len(cells(tmp_path / "store")) == 24
