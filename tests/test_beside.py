"""A full batch is committed beside the reading: one commit at a time, its failure the run's, and each line once."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from threading import Event, Lock, current_thread, main_thread

import pytest

from loganon import batching
from loganon.ingest import Ingest
from loganon.pipeline import Pipeline
from loganon.sources.files import Log
from loganon.store import Held
from loganon.threads import Aside
from support.runs import counts_of, hours_of, ingest, lines, plain_policy

LINES = lines(120, minutes=3)
_SECONDS = 120


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A log of six batches, each of several chunks."""
    monkeypatch.setitem(Log.chunks.__kwdefaults__, "chunk_bytes", 1000)
    monkeypatch.setattr(batching, "FLUSH_ROWS", 20)
    monkeypatch.setattr("loganon.ahead._SMALL_BYTES", 0)
    path = tmp_path / "access.log"
    path.write_bytes(b"".join(LINES))
    return path


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Where the store is made."""
    return tmp_path / "store"


def _before(monkeypatch: pytest.MonkeyPatch, act: Callable[[int], None]) -> None:
    """`act` is called before each commit, with its number from 1 on."""
    commit, calls = Held.commit, []

    def with_act(self: Held, *given: object, **more: object) -> object:
        calls.append(None)
        act(len(calls))
        return commit(self, *given, **more)  # type: ignore[arg-type]  # as it came

    monkeypatch.setattr(Held, "commit", with_act)


def test_reading_goes_on_beside_a_commit_and_no_commit_beside_another(
    log: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first commit waits until a later chunk has been treated; all but the last are made in a thread of their own,
    none while another is made, and nothing is read twice.
    """
    treat, later, begun, alone, threads, read = Pipeline.treat, Event(), Event(), Lock(), [], []

    def treated(self: Pipeline, *given: object) -> object:
        if begun.is_set():
            later.set()
        found = treat(self, *given)  # type: ignore[arg-type]  # as it came
        read.append(found.lines)
        return found

    def wait(_: int) -> None:
        assert alone.acquire(blocking=False)
        threads.append(current_thread() is main_thread())
        begun.set()
        assert later.wait(_SECONDS)
        alone.release()

    monkeypatch.setattr(Pipeline, "treat", treated)
    _before(monkeypatch, wait)
    summary = ingest(store, [log], policy=plain_policy())
    assert (summary.exit_code, summary.counted, hours_of(store)) == (0, len(LINES), counts_of(LINES))
    assert sum(read) == len(LINES)
    assert threads.count(False) > 3
    assert True not in threads[:-1]


@pytest.mark.parametrize("number", [1, 2, 4])
def test_another_run_is_faster(
    log: Path, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Another run counts the whole log while a commit of this one is about to be made: each line is counted once, and
    those of the log before it in the batch, too.
    """
    small = tmp_path / "small.log"
    small.write_bytes(b"".join(more := lines(5, tag="small")))
    commit, calls = Ingest._commit, []

    def overtaken(self: Ingest, parts: list[object]) -> None:
        calls.append(None)
        if len(calls) == number:
            with monkeypatch.context() as patch:
                patch.setattr(Ingest, "_commit", commit)
                assert ingest(store, [log], policy=plain_policy()).exit_code == 0
        commit(self, parts)  # type: ignore[arg-type]  # as it came

    monkeypatch.setattr(Ingest, "_commit", overtaken)
    summary = ingest(store, [small, log], policy=plain_policy())
    assert (summary.exit_code, summary.counted + summary.already_counted) == (0, len(LINES) + 5)
    assert hours_of(store) == counts_of([*LINES, *more])


@pytest.mark.parametrize("number", [1, 3])
def test_a_commit_that_fails_is_the_runs_failure(
    log: Path, store: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """The run says that it could not write and counts what was committed before; the next run counts the rest."""

    def fail(at: int) -> None:
        if at == number:
            raise OSError(errno.EIO, "failed")

    with monkeypatch.context() as patch:
        _before(patch, fail)
        with pytest.raises(OSError, match="failed"):
            ingest(store, [log], policy=plain_policy())
    summary = ingest(store, [log], policy=plain_policy())
    assert (summary.exit_code, summary.already_counted > 0) == (0, number > 1)
    assert (summary.counted + summary.already_counted, hours_of(store)) == (len(LINES), counts_of(LINES))


def test_one_piece_of_work_at_a_time() -> None:
    """The next one begins when the one before has ended; its error comes at the next meeting, once, whatever it is."""
    aside, order = Aside(), []

    def end(number: int) -> None:
        order.append(number)
        if number == 1:
            raise KeyboardInterrupt

    aside.begin(lambda: end(0))
    aside.begin(lambda: end(1))
    with pytest.raises(KeyboardInterrupt):
        aside.begin(lambda: end(2))
    aside.close()
    assert order == [0, 1]
    aside.begin(lambda: end(3))
    aside.close()
    assert order == [0, 1, 3]
