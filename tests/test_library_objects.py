"""What the library gives and raises goes between processes and can be copied, and is the same afterwards."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

import loganon
from loganon.errors import ConfigurationError, InputOutputError, LoganonError
from loganon.refusals import SkippedError
from loganon.settings import SettingsError
from loganon.store import DamagedCellError, SealError
from loganon.store.mend import LostRecordsError
from support.runs import KEY, NOW, lines, plain_policy

WAYS: dict[str, Callable[[Any], Any]] = {
    "pickle": lambda given: pickle.loads(pickle.dumps(given)),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}


def made() -> list[LoganonError]:
    """One of each class that is made of something else than LoganonError's own arguments, and one that is not."""
    plain = ConfigurationError("what", where="where", fix="fix")
    with pytest.raises(ConfigurationError) as raised:
        loganon.load_policy(str(Path(__file__)))
    return [
        plain,
        raised.value,
        SettingsError((plain, plain)),
        SkippedError("error_log", "what", where="where"),
        DamagedCellError(Path("/store/access/x.parquet")),
        LostRecordsError("/store"),
        SealError(InputOutputError("what", where="where"), (date(2026, 11, 20),)),
    ]


@pytest.mark.parametrize("way", WAYS)
def test_errors(way: str) -> None:
    """An error of any class is made again with its text and all that it holds, whatever its class takes."""
    for error in made():
        again = WAYS[way](error)
        assert (type(again), str(again)) == (type(error), str(error))
        assert {name: str(value) for name, value in vars(again).items()} == {
            name: str(value) for name, value in vars(error).items()
        }
        assert again.exit_code == error.exit_code


def count(folder: str) -> loganon.Summary:
    """The work of a process: a good log and one that is set aside."""
    logs = [Path(folder) / "access.log", Path(folder) / "error.log"]
    logs[0].write_bytes(b"".join(lines(10)))
    logs[1].write_bytes(b"no line of any format\n" * 3)
    return loganon.run(logs, policy=plain_policy(), store=Path(folder) / "store", key=KEY.secret, now=NOW)


def test_a_summary_of_another_process(tmp_path: Path) -> None:
    """It comes back whole with the errors of its logs: one that could not be made again would hang the pool."""
    with get_context("spawn").Pool(1) as pool:
        summary = pool.apply_async(count, (str(tmp_path),)).get(120)
    assert (summary.counted, summary.exit_code) == (10, 65)
    assert [type(error) for error in summary.errors] == [SkippedError]
    assert summary.as_dict()["skipped"] == [{"log": str(tmp_path / "error.log"), "reason": "no_format"}]


@pytest.mark.parametrize("way", WAYS)
def test_results_and_policies(way: str) -> None:
    """A Result has its rows and a Policy all its answers."""
    policy = loganon.load_policy("imos")
    again = WAYS[way](policy)
    assert (again, again.canonical) == (policy, policy.canonical)
    result = loganon.anonymize(lines(10), policy=again)
    other = WAYS[way](result)
    assert other.table.equals(result.table)
    assert (other.rejected, other.redacted) == (result.rejected, result.redacted)
