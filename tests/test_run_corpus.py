"""Real logs of others, from `loganon run` to the stored table: the counts are right, and nobody's address is there."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from leaks import Needles, addresses_in, names_in, search_tree
from oracle import Reading, read_log
from support.cli import Command, Done
from support.runs import Hours, check_balance, expected, hours_of, table_of

pytestmark = pytest.mark.corpus

LOGS = {
    "elastic": ("logs/elastic-examples/apache_logs/apache_logs", "combined", 5_000),
    "nasa": ("logs/nasa-http/nasa_19950801.log", "common", 10_000),
}


@dataclass(frozen=True, slots=True)
class Ran:
    """A real log, what the oracle reads in it, and all that two runs of the command left: one as JSON, one as text."""

    log: Path
    truth: Reading
    lines: int
    store: Path
    first: Done
    second: Done


@pytest.fixture(scope="module", params=LOGS)
def ran(request: pytest.FixtureRequest, corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """The log counted at noon of the day after its last line, then run again."""
    path, style, lines = LOGS[request.param]
    log, folder = corpus / path, tmp_path_factory.mktemp(request.param)
    truth = read_log(log, style, final=True)
    now = max(truth.hours).replace(hour=12) + timedelta(days=1)
    command = Command(folder)
    words = ("run", log, "--store", folder / "store", "--final", "--now", now.isoformat())
    return Ran(log, truth, lines, folder / "store", command(*words, "--json"), command(*words))


def test_the_balance(ran: Ran) -> None:
    """Every line of the log is counted or rejected for a reason; a second run counts none of them again."""
    assert (ran.first.code, ran.second.code) == (0, 0)
    answer = ran.first.json
    check_balance(answer)
    assert answer["lines_read"] == ran.truth.lines == ran.lines
    assert answer["counted"] == ran.truth.counted > 0.99 * ran.lines
    assert {reason: count for reason, count in answer["rejected"].items() if count} == dict(ran.truth.rejected)
    assert f"{ran.lines:,} already counted" in ran.second.out
    assert "0 counted" in ran.second.out


def test_each_hour_is_the_oracle_s(ran: Ran) -> None:
    """Requests, bytes and successes of each hour are those of the reader that shares no code."""
    assert hours_of(ran.store) == expected(ran.truth)


def test_each_hour_is_that_of_the_published_cases(ran: Ran, corpus: Path) -> None:
    """For the NASA log a third reading, that of another project, agrees as well."""
    if "nasa" not in ran.log.name:
        assert ran.truth.lines == 5_000  # no such cases exist of the other log
        return
    assert hours_of(ran.store) == _published(corpus / "expected/unified_expected.jsonl", ran.log)


def _published(path: Path, log: Path) -> Hours:
    sums: dict[datetime, list[int]] = defaultdict(lambda: [0, 0, 0])
    lines = []
    for text in path.read_text("utf-8").splitlines():
        case = json.loads(text)
        if case["src"] != "nasa-imhotep":
            continue
        lines.append(case["line"])
        if case["accept"]:
            hour = datetime.fromisoformat(case["expect"]["time_utc"]).replace(minute=0, second=0)
            sums[hour][0] += 1
            sums[hour][1] += case["expect"]["bytes"] or 0
            sums[hour][2] += 100 <= case["expect"]["status"] < 400
    assert sorted(lines) == sorted(log.read_text("latin-1").splitlines())
    return {hour: (a, b, c) for hour, (a, b, c) in sums.items()}


def test_no_address_of_the_log_is_anywhere(ran: Ran) -> None:
    """No address that stands in any line, in any spelling, and no full host name: not in a byte of the store, not in a
    decoded value, not in what was said on either stream."""
    found = addresses_in(ran.log.read_bytes()) | names_in(ran.truth.clients)
    assert len(found) > 4_000, "the search has something to look for"
    needles = Needles(found)
    assert search_tree(ran.store, needles) == []
    for done in (ran.first, ran.second):
        assert needles.found_in((done.out + done.err).encode()) == set()


def test_no_domain_is_a_client_s_own_name(ran: Ran) -> None:
    """A stored domain is a provider's or a suffix: none is a client's host name, unless that is a bare domain."""
    domains = set(table_of(ran.store)["domain"].unique().to_pylist())
    own = {client.decode("latin-1").lower() for client in ran.truth.clients if client.count(b".") > 1}
    assert domains & own == set()
    assert "unknown" in domains
    assert (len(domains) > 5) == ("nasa" in ran.log.name), "only one of the logs has host names"
