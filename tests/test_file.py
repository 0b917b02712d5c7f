"""The file: the path without its query, and with what identifies a person replaced."""

from __future__ import annotations

import gzip
import json
import re
from base64 import b64encode
from pathlib import Path
from uuid import UUID

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loganon import issued, shapes
from loganon.errors import ConfigurationError
from loganon.treatments import held
from loganon.treatments.file import INVALID, make_path
from loganon.treatments.identifiers import _ROUNDS, _replace, replace_identifiers

CASES = Path(__file__).parent / "cases" / "file"
ALL = [
    {"class": path.stem, **json.loads(line)}
    for path in sorted(CASES.glob("*.jsonl"))
    for line in path.read_text(encoding="utf-8").splitlines()
]
from_path, from_request = make_path(raw="path"), make_path(raw="request")


def path(value: str | None) -> str:
    return str(from_path(pl.Series([value], dtype=pl.String))[0][0])


def request(value: str | None) -> str:
    return str(from_request(pl.Series([value], dtype=pl.String))[0][0])


def holds_shape(text: str) -> bool:
    decoded = shapes.decode(text).text
    finders = (shapes.find_uuids, shapes.find_tokens, issued.find_ibans, issued.find_phones)
    return shapes.holds_personal(decoded) or any(True for find in finders for _ in find(decoded))


@pytest.mark.parametrize("case", ALL, ids=lambda case: f"{case['class']}:{case['in'][:40]!r}")
def test_cases(case: dict[str, str]) -> None:
    """One raw value, one answer; a path alone and within a request line agree, and again treated stays."""
    treat = request if case["raw"] == "request" else path
    assert treat(case["in"]) == case["out"]
    assert path(case["out"]) == case["out"]
    if case["raw"] == "path" and case["in"].startswith("/"):
        assert request(f"GET {case['in']} HTTP/1.1") == case["out"]


FRAGMENTS = (
    "/ / / . - _ : @ % %25 %2F %40 %3a %2e + ; ? ~ x v a1 91 44 26 11 2003 5b2c1a0b 0x jane user users u order example "
    'org json de DE89370400440532013000 eyJhbGciOiJIUzI1NiJ9 Ab3dEf6hIj9lMn2pQr5t +491511234567 {ip} {user} \\ " é'
)
PIECES = st.lists(st.sampled_from([*FRAGMENTS.split(" "), " ", "\n", "\x1b"]), max_size=25).map("".join)
TEXT = st.text(max_size=200) | PIECES | PIECES.map(lambda text: "/" + text)


@given(TEXT)
def test_any_text(text: str) -> None:
    """Never raises; no shape is left; nothing from the query; no control character; treated again it stays."""
    given = pl.Series([text, f"GET {text} HTTP/1.1"])
    outs = pl.concat([from_path(given)[0], from_request(given)[0]])
    for out, again in zip(outs, from_path(outs)[0], strict=True):
        assert out == INVALID or not holds_shape(out)
        assert not set("?#;") & set(shapes.decode(out).text)
        assert not re.search(r"[\x00-\x1f\x7f-\x9f]", out)
        assert len(out) <= 1024
        assert again == out


WORD = st.text(st.sampled_from("abcdefgh-_."), min_size=1, max_size=8).filter(lambda word: word.strip("."))
WAYS = st.sampled_from(["/{}", "/a/{}", "/a/{}/", "/a/{}/b.html", "/a%2F{}%2Fb"])


def encode(text: str, often: int, which: int) -> str:
    for _ in range(often):
        text = "".join(f"%{ord(c):02X}" if (ord(c) >> which) & 1 or c == "%" else c for c in text)
    return text


@given(
    st.one_of(
        st.ip_addresses(v=4).map(str),
        st.ip_addresses(v=4).map(lambda a: "0x" + a.packed.hex()),
        st.ip_addresses(v=4).map(lambda a: str(a).replace(".", "-")),
        st.ip_addresses(v=4).map(lambda a: "::ffff:" + str(a)),
        st.ip_addresses(v=4).map(lambda a: "".join(f"{b:03d}." for b in a.packed)[:-1]),
        st.ip_addresses(v=6).filter(int).map(str),
    ),
    WAYS,
    st.integers(0, 2),
    st.integers(0, 3),
)
def test_no_address_survives(address: str, way: str, often: int, which: int) -> None:
    """An address alone in a segment, in any spelling, percent-encoded or not, becomes `{ip}`."""
    assert path(way.format(encode(address, often, which))) == way.format("{ip}")


@given(
    st.one_of(
        st.uuids().map(lambda u: ("uuid", str(u))),
        st.uuids()
        .filter(lambda u: re.search("[a-f]", u.hex) is not None and re.search("[0-9]", u.hex) is not None)
        .map(lambda u: ("token", u.hex)),
        st.integers(100_000_000, 10**15).map(lambda n: ("id", str(n))),
        st.integers(10_000_000, 10**14).map(lambda n: ("phone", f"+{n}")),
        st.from_regex(r"[a-z]{1,8}\.[a-z]{1,8}@[a-z]{2,9}\.(org|de|co\.uk)", fullmatch=True).map(
            lambda e: ("email", e)
        ),
        st.ip_addresses(v=4).map(lambda a: ("token", b64encode(str(a).encode()).decode())),
        st.ip_addresses(v=6)
        .filter(lambda a: len(str(a)) > 6)
        .map(lambda a: ("token", b64encode(str(a).encode()).decode().rstrip("="))),
        st.from_regex(r"[A-Za-z]{1,5}[0-9]?@[a-z0-9]{2,9}\.(org|de)", fullmatch=True).map(
            lambda e: ("token", b64encode(e.encode()).decode())
        ),
        st.ip_addresses(v=4).map(lambda a: ("host", f"p{a.packed.hex()}.dip0.t-ipconnect.de")),
        st.ip_addresses(v=4).map(lambda a: ("host", f"p{a.packed.hex()}.dip0.provider.de")),
        st.ip_addresses(v=4).map(lambda a: ("host", f"ip-{str(a).replace('.', '-')}.pool.provider.net")),
    ),
    WAYS,
    st.integers(0, 2),
    st.integers(0, 3),
)
def test_templates(case: tuple[str, str], way: str, often: int, which: int) -> None:
    """Whatever identifies by its form becomes its template, percent-encoded or not, and only its run changes."""
    kind, value = case
    if value.endswith(".provider.de") and not re.search("[0-9]", value.split(".")[0][1:]):
        return  # eight hex digits without a digit are a word
    assert path(way.format(encode(value, often, which))) == way.format(f"{{{kind}}}")


SPELLED = st.one_of(
    st.ip_addresses(v=4).flatmap(
        lambda a: st.sampled_from(
            [str(a), f"0x{a.packed.hex()}", a.reverse_pointer, *(mark.join(map(str, a.packed)) for mark in "-_x")]
        )
    ),
    st.ip_addresses(v=6).flatmap(
        lambda a: st.sampled_from(
            [str(a), a.exploded, a.exploded.replace(":", "-"), str(a).replace(":", "_"), a.reverse_pointer]
        )
    ),
    st.ip_addresses(v=4).map(lambda a: f"p{a.packed.hex()}.dip0.t-ipconnect.de"),
    st.uuids().map(str),
    st.sampled_from(
        str.split(
            "jane@example.org ~jane users/jane dav/files/jane avatar/jane/64 SOGo/so/jane "
            "4711234 +491511234567 DE89370400440532013000 4111-1111-1111-1111 "
            "378282246310005 00:1b:44:11:3a:b7 00-1b-44-11-3a-b7 OTEuNDQuMjYuMTE= Ab3dEf6hIj9lMn2pQr5t "
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln (S(lit3py55t21z5v55vlm25s55)) //u:pw@h"
        )
    ),
)
AROUND = st.sampled_from(
    ["", "", "/", "%", "x", "x-", "_", ".", ":", "=", " ", "%20", "v", "1", ".html", "é", "%C3%A9"]
)


@given(st.lists(st.tuples(AROUND, SPELLED, st.integers(0, 2), st.integers(0, 3), AROUND), min_size=1, max_size=3))
def test_columns_are_answered_as_single_paths_are(parts: list[tuple[str, str, int, int, str]]) -> None:
    """What is looked at one by one is found by quick questions first: these never leave out what would change."""
    text = "/" + "".join(
        before + encode(spelled, often, which) + after for before, spelled, often, which, after in parts
    )
    alone, turns = text, 0
    while (changed := _replace(alone)) != alone and turns < _ROUNDS:
        alone, turns = changed, turns + 1
    assert replace_identifiers(pl.Series([text]))[0] == (alone if changed == alone else None)


@given(
    st.ip_addresses(v=4).map(str), st.sampled_from(["/%{}", "/a/%{}/b", "/a/x%{}", "/%25{}", "/%2525{}/", "/%{}%20"])
)
def test_an_escape_takes_no_number_from_an_address(address: str, way: str) -> None:
    """An address is found as it was sent, decoded once and twice, where decoding on takes its first digits for an
    escape.
    """
    assert address not in path(way.format(address))


@given(st.sampled_from(["/users/{}", "/user/{}/x", "/u/{}/", "/~{}/x", "/@{}", "/a/members/{}/b"]), st.uuids())
def test_users(way: str, name: UUID) -> None:
    """The segment that a user's name stands in is never kept."""
    assert path(way.format("jane" + name.hex[:4])) == way.format("{user}")


@given(st.lists(WORD.filter(lambda w: not w.startswith(("~", "@"))), min_size=1, max_size=6))
def test_plain_paths_survive(words: list[str]) -> None:
    """Words, dots and dashes are kept as sent."""
    text = "/x/" + "/".join(words)
    assert path(text) == text


def test_nothing_gives_invalid() -> None:
    """What is no valid UTF-8 (null), empty or a dash has no path."""
    for treat in (path, request):
        assert {treat(None), treat(""), treat("-")} == {INVALID}
    assert from_path(pl.Series([], dtype=pl.String))[0].to_list() == []


def test_a_long_path_keeps_whole_segments() -> None:
    """At most the given length, cut at a border of segments; a huge first segment leaves nothing."""
    long = "/abc" * 400
    assert path(long) == "/abc" * 256
    assert path("/x" + long) == "/x" + "/abc" * 255
    assert path("/" + "a" * 5000) == "/"
    assert path("/" + "%25" * 5000 + "/x") == "/"
    assert path("/~b" * 300) == "/~{user}" * 128
    assert path("/a" * 1_000_000) == "/a" * 512


@given(st.lists(st.lists(st.sampled_from(range(60)) | st.integers(0, 10**5 - 1), max_size=30), max_size=12), TEXT)
@settings(max_examples=30)
def test_a_flood_of_paths_has_the_same_answers(chunks: list[list[int]], text: str) -> None:
    """Held, dropped, not held for a while, held again: whatever came before, a path has its own answer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(held, "MOST_VALUES", 40)
        patch.setattr(held, "UNHELD", 2)
        treatment = make_path(raw="path")
        for chunk in chunks:
            values = pl.Series([None, text, *(f"/users/{number}/a" for number in chunk)])
            expected = [INVALID, path(text), *("/users/{user}/a" for _ in chunk)]
            assert treatment(values)[0].to_list() == expected


def test_a_flood_of_paths_is_not_held() -> None:
    """What nobody asks for again is answered without being held; once that is over, paths are held again."""
    treatment = make_path(raw="path")
    assert isinstance(treatment, held.Held)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(held, "MOST_VALUES", 1300)
        for turn in range(held.UNHELD + 2):
            treatment(pl.Series([f"/flood/{turn}/{number}" for number in range(600)]))
            assert len(treatment) == (600, 1200, 0)[min(turn, 2)]
        for _ in range(4):
            treatment(pl.Series([f"/page/{number}" for number in range(600)]))
            assert len(treatment) == 600
        for start in (0, 600, 1200):
            treatment(pl.Series([f"/other/{start + number}" for number in range(600)]))
        assert len(treatment) == 1200, "what was dropped had been asked for again: the next are held"


def test_routes() -> None:
    """Only the listed shapes are stored, as they are written; the first that matches; the rest is `other`."""
    treat = make_path(routes=("/", "/blog/feed", "/blog/*", "/user/:id", "/user/:id/photos/:n"))
    given = [
        "/",
        "/?q",
        "/blog/feed",
        "/blog/jane-doe/x",
        "/blog",
        "/user/jane",
        "/user/jane/",
        "/user/a/b",
        "/user/a/photos/1",
        "/x",
        None,
    ]
    assert treat(pl.Series(given))[0].to_list() == [
        "/",
        "/",
        "/blog/feed",
        "/blog/*",
        "other",
        "/user/:id",
        "/user/:id",
        "other",
        "/user/:id/photos/:n",
        "other",
        INVALID,
    ]


@pytest.mark.parametrize("route", ["blog", "", "/a?b", "/*/a", "/a b", "*"])
def test_a_route_that_cannot_match_is_refused(route: str) -> None:
    """At the edge, with the route named."""
    with pytest.raises(ConfigurationError, match="route"):
        make_path(routes=(route,))


def test_the_column_given_is_not_changed() -> None:
    """A treatment makes new series."""
    values = pl.Series(["/users/jane", "/a?b", "-", "/91.44.26.11"])
    from_path(values)
    assert values.to_list() == ["/users/jane", "/a?b", "-", "/91.44.26.11"]


# --- real logs ------------------------------------------------------------------------------------------------------

REQUEST = re.compile(r'"([A-Z]{3,10} [^"]*)"')
WITHOUT_QUERY = re.compile(r"(?:[?#;]|%3[fFbB]|%23).*", re.DOTALL)


def real_paths(corpus: Path) -> list[str]:
    """The paths as sent, without query, of the accesses in real logs, of CloudFront's and of the collected lines."""
    paths = []
    logs = ["nasa-http/*.log", "elastic-examples/apache_logs/*", "opensearch-catalog/nginx/data/raw.log",
            "epa-http/**/*.txt",
            "mtail/*", "lnav/*", "elastic-beats-2022/**/*.log", "crowdsec-hub/*/*.log"]  # fmt: skip
    for name in (path for pattern in logs for path in sorted((corpus / "logs").glob(pattern))):
        for line in name.read_text(encoding="utf-8", errors="replace").splitlines():
            found = REQUEST.search(line)
            if found:
                target = found[1].split(" ", 1)[1]
                paths.append(target.rpartition(" HTTP/")[0] or target)
    with gzip.open(corpus / "logs/aws-waf-automations/test_data/cf-access-log-sample.gz", "rt") as lines:
        paths += [line.split("\t")[7] for line in lines if not line.startswith("#")]
    return [WITHOUT_QUERY.sub("", path) for path in paths if path.startswith("/") or ":" not in path]


@pytest.mark.corpus
def test_legitimate_names_survive(corpus: Path) -> None:
    """At most 0.1 % of the requests of real logs change other than by the query cut; each change is listed."""
    paths = pl.Series(real_paths(corpus))
    treated = from_path(paths)[0]
    changed = pl.DataFrame({"sent": paths, "stored": treated}).filter(paths != treated)
    counts = changed.group_by("sent", "stored").len().sort("len", "sent", descending=True)
    print(f"\n{len(changed)} of {len(paths)} requests changed ({len(changed) / len(paths):.3%}):")
    for sent, stored, count in counts.iter_rows():
        print(f"  {count:3} {sent[:110]} -> {stored[:80]}")
    assert len(paths) > 40_000
    assert len(changed) / len(paths) <= 0.001


@pytest.mark.corpus
def test_payloads_leave_no_shape(corpus: Path) -> None:
    """Hostile strings as paths and requests: no shape left, never an exception."""
    for name in (corpus / "logs" / "payloads").rglob("*.*"):
        lines = name.read_text(encoding="utf-8", errors="replace").splitlines()
        both = pl.Series(
            [*lines, *(f"/{line}" for line in lines), *(f"GET /{line} HTTP/1.1" for line in lines)], dtype=pl.String
        )
        for treat in (from_path, from_request):
            out = treat(both)[0].unique()
            suspects = out.filter(shapes.decode_series(out).str.contains("[0-9@:]"))
            assert not [text for text in suspects if holds_shape(text)]
