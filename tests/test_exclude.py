"""Lines that are left out before treatment: by rule (`excluded`), or for want of consent (`no_consent`)."""

import re
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path

import pytest

import loganon
from loganon.chunks import Chunk, Window
from loganon.errors import ConfigurationError
from loganon.exclude import Rule, parse_rules
from loganon.formats import load_formats
from loganon.formats.given import resolve
from loganon.lookups import Lookups
from loganon.pipeline import Result, build
from loganon.policy import bundled, load_policy, parse_policy

AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
BOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


def line(client: str = "203.0.113.7", request: str = "GET /a HTTP/1.1", agent: str = AGENT, hour: int = 13) -> str:
    return f'{client} - - [10/Oct/2026:{hour:02}:00:00 +0000] "{request}" 200 10 "-" "{agent}"\n'


def judged(lines: list[str], *rules: Rule, window: Window | None = None) -> Result:
    data = "".join(lines).encode()
    pipeline = build(load_policy("imos"), load_formats()["combined"], Lookups(), coded=False, rules=rules)
    return pipeline(Chunk(data, 0, len(data)), window or Window(None, None))


@pytest.mark.parametrize(
    ("rule", "gone", "stays"),
    [
        (Rule(path="/healthz"), line(request="GET /healthz?x=1 HTTP/1.1"), line(request="GET /healthz/x HTTP/1.1")),
        (Rule(path="/static/*"), line(request="GET /static/a/b.js HTTP/1.1"), line(request="GET /s/static/ HTTP/1.1")),
        (Rule(path="/a?c"), line(request="GET /abc HTTP/1.1"), line(request="GET /abbc HTTP/1.1")),
        (Rule(path="/a.c"), line(request="GET /a.c HTTP/1.1"), line(request="GET /abc HTTP/1.1")),
        (Rule(path="/a"), line(request="GET http://h.example/a HTTP/1.1"), line(request="\\x16\\x03")),
        (Rule(client=ip_network("10.0.0.0/8")), line("10.1.2.3"), line("11.1.2.3")),
        (Rule(client=ip_network("10.0.0.0/8")), line("::ffff:10.1.2.3"), line("p5b0c1a2f.dip0.t-ipconnect.de")),
        (Rule(client=ip_network("2001:db8::/32")), line("2001:db8::1"), line("2001:db9::1")),
        (Rule(browser="bots"), line(agent=BOT), line(agent=AGENT)),
        (Rule(browser="firefox"), line(agent=AGENT), line(agent=BOT)),
        (Rule(method="head"), line(request="HEAD / HTTP/1.1"), line(request="GET /HEAD HTTP/1.1")),
        (Rule(path="/a", method="GET"), line(request="GET /a HTTP/1.1"), line(request="POST /a HTTP/1.1")),
    ],
)
def test_a_rule_leaves_out_what_it_names(rule: Rule, gone: str, stays: str) -> None:
    """All that a rule names must agree; what it leaves out is counted as `excluded`, and nothing else is."""
    result = judged([gone, stays, gone], rule)
    assert (result.lines, result.counted, dict(result.rejected)) == (3, 1, {"excluded": 2})
    assert result.table.equals(judged([stays]).table)


def test_without_rules_nothing_is_excluded() -> None:
    """No rule, no exclusion."""
    assert judged([line(), line(agent=BOT)]).counted == 2


def test_one_reason_a_line_the_first() -> None:
    """`excluded` comes before `expired` and `future`: a line is counted once."""
    window = Window(datetime(2026, 10, 11, tzinfo=UTC).date(), datetime(2026, 10, 9, tzinfo=UTC))
    result = judged([line("10.0.0.1"), line("11.0.0.1")], Rule(client=ip_network("10.0.0.0/8")), window=window)
    assert dict(result.rejected) == {"excluded": 1, "expired": 1}
    assert result.lines == result.counted + result.rejected.total() == 2


def test_a_hostile_line_matches_no_rule() -> None:
    """Bytes that are no text match nothing and are counted."""
    data = line(request="GET /a HTTP/1.1").encode().replace(b"/a", b"/\xff") + line().encode()
    pipeline = build(load_policy("imos"), load_formats()["combined"], Lookups(), coded=False, rules=[Rule(path="*")])
    result = pipeline(Chunk(data, 0, len(data)), Window(None, None))
    assert (result.counted, dict(result.rejected)) == (1, {"excluded": 1})


FORMAT = 'nginx:$remote_addr [$time_local] "$request" $status $bytes_sent "$http_cookie" "$http_dnt" "$http_sec_gpc"'


def consenting(cookie: str, dnt: str = "-", gpc: str = "-") -> str:
    return f'203.0.113.7 [10/Oct/2026:13:00:00 +0000] "GET /a HTTP/1.1" 200 10 "{cookie}" "{dnt}" "{gpc}"\n'


def test_consent_signals() -> None:
    """A policy may require a cookie and heed `DNT` and `Sec-GPC`: lines without or with them are `no_consent`."""
    text = bundled()["imos"] + '[consent]\nrequire = ["cookie"]\nexclude_when = ["DNT", "Sec-GPC"]\n'
    fmt = resolve(FORMAT)
    assert fmt is not None
    lines = [consenting("a=b"), consenting("-"), consenting(""), consenting("a=b", "1"), consenting("a=b", "0", "1")]
    data = "".join(lines).encode()
    pipeline = build(parse_policy(text, where="test"), fmt, Lookups(), coded=False)
    result = pipeline(Chunk(data, 0, len(data)), Window(None, None))
    assert (result.counted, dict(result.rejected)) == (1, {"no_consent": 4})
    assert "a=b" not in str(result.table.to_pylist())


def test_a_format_that_shows_no_signal_requires_none() -> None:
    """Where the log does not show a cookie, none is asked for."""
    text = bundled()["imos"] + '[consent]\nrequire = ["cookie"]\n'
    data = line().encode()
    pipeline = build(parse_policy(text, where="test"), load_formats()["combined"], Lookups(), coded=False)
    assert pipeline(Chunk(data, 0, len(data)), Window(None, None)).counted == 1


@pytest.mark.parametrize(
    ("entry", "what"),
    [
        ({"clinet": "10.0.0.0/8"}, 'Did you mean "client"?'),
        ({"client": "10.0.0"}, "no network"),
        ({}, "names nothing"),
        ({"path": ""}, "no text"),
        ({"browser": "bot"}, 'Did you mean "bots"?'),
        ({"browser": "Fierfox"}, 'Did you mean "Firefox"?'),
        ({"browser": "0123456789"}, 'as "Firefox", or "bots"'),
    ],
)
def test_a_rule_with_a_mistake(entry: dict[str, str], what: str) -> None:
    """A mistake in a rule is a ConfigurationError that says what and what to do."""
    with pytest.raises(ConfigurationError, match=re.escape(what)):
        parse_rules([entry], where="test")


def test_through_the_library(tmp_path: Path) -> None:
    """`run` and `anonymize` take rules as tables; what they leave out is `excluded`, and the balance holds."""
    log = tmp_path / "access.log"
    log.write_text(line(agent=BOT) + line("10.0.0.1") + line(), "utf-8")
    rules = [{"browser": "bots"}, {"client": "10.0.0.0/8"}]
    now = datetime(2026, 10, 10, 14, tzinfo=UTC)
    summary = loganon.run([log], store=tmp_path / "store", key=tmp_path / "key", exclude=rules, now=now)
    assert (summary.counted, summary.rejected["excluded"], summary.lines_read) == (1, 2, 3)
    assert loganon.anonymize(log.read_bytes(), exclude=rules).rejected["excluded"] == 2
