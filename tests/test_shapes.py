"""What an address, an e-mail, a token looks like: the shapes that treatments and the gate share."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import quote, unquote

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loganon import issued, lookalikes, shapes

Find = Callable[[str], Iterator[tuple[int, int]]]
BORDERS = st.sampled_from(["", "/", "-", "=", " ", ",", "(", "[", "x.", "/a/"])


def found(find: Find, text: str) -> list[str]:
    return [text[start:end] for start, end in find(text)]


def stable(text: str) -> str:
    while (decoded := unquote(text, "latin-1")) != text:
        text = decoded
    return text


escaped = st.lists(
    st.sampled_from(["%", "2", "5", "4", "0", "a", "F", "%25", "%40", "%2F", "x", "ä"]), max_size=40
).map("".join)


@given(escaped)
def test_decoding_once_is_decoding_until_it_is_stable(sent: str) -> None:
    """One pass gives what repeated passes give, alone and in a column, and every character knows where it was sent."""
    decoded = shapes.decode(sent)
    assert decoded.text == stable(sent)
    assert shapes.decode_series(pl.Series([sent, None]))[0] == decoded.text
    assert "".join(sent[a:b] for a, b in zip(decoded.starts, decoded.starts[1:], strict=False)) == sent
    for index, character in enumerate(decoded.text):
        start, end = decoded.sent((index, index + 1))
        assert stable(sent[start:end]) == character


def test_a_column_is_not_changed_in_place() -> None:
    """What is decoded is a new series."""
    values = pl.Series(["a%40b", "x"])
    shapes.decode_series(values)
    assert values.to_list() == ["a%40b", "x"]


def test_deep_escapes_are_decoded() -> None:
    """An escape that is escaped more often than a column is passed over is still decoded."""
    sent = "jane%" + "25" * 40 + "40example.org"
    assert shapes.decode_series(pl.Series([sent])).to_list() == ["jane@example.org"]


MEANT = ["jane@example.org", "91.44.26.11", "2003:0:ab::1", "+49 151 1234567", "/users/jane"]
WAYS: dict[str, Callable[[str], str]] = {
    "percent": lambda c: f"%{ord(c):02x}",
    "IIS": lambda c: f"%u{ord(c):04X}",
    "capital": lambda c: f"%U{ord(c):04x}",
    "script": lambda c: f"\\u{ord(c):04x}",
    "byte": lambda c: f"\\x{ord(c):02X}",
    "fullwidth": lambda c: chr(ord(c) + 0xFEE0) if c.isalnum() or c in "+-.:@_" else c,
    "Arabic": lambda c: chr(0x660 + int(c)) if c.isdigit() else c,
    "Devanagari": lambda c: chr(0x966 + int(c)) if c.isdigit() else c,
    "circled": lambda c: "\u24ea\u2460\u2461\u2462\u2463\u2464\u2465\u2466\u2467\u2468"[int(c)] if c.isdigit() else c,
    "dot": lambda c: "\u3002" if c == "." else c,
    "blank": lambda c: "\u202f" if c == " " else c,
    "unseen": lambda c: f"{c}\u200b",
}


@given(st.sampled_from(MEANT), st.data(), st.integers(0, 2))
def test_each_way_to_write_a_character_is_undone(meant: str, data: st.DataObject, often: int) -> None:
    """Escapes of any kind and lookalikes, as characters or as escaped UTF-8, mixed, and escaped again: one text, alone
    and in a column.
    """
    ways = data.draw(st.lists(st.sampled_from(sorted(WAYS)), min_size=len(meant), max_size=len(meant)))
    sent = "".join(WAYS[way](character) for way, character in zip(ways, meant, strict=True))
    for _ in range(often):
        sent = data.draw(st.sampled_from([quote(sent, safe="/"), sent.replace("\\", "%5C"), sent.replace("u", "%75")]))
    decoded = shapes.decode(sent)
    assert decoded.text == meant
    assert decoded.sent((0, len(meant))) == (0, len(sent))
    assert shapes.decode_series(pl.Series([sent, None, "x"])).to_list() == [meant, None, "x"]


@given(st.text(st.sampled_from("%25x391.é\uff10"), max_size=40))
def test_the_stages_of_a_text_are_those_of_a_column(sent: str) -> None:
    """As sent, decoded once, twice, to the end: what one text becomes on its way, a column becomes."""
    becomes = [shapes.decode_times(sent, times) for times in range(shapes.STAGES)] + [shapes.decode(sent)]
    on_the_way = [each.text for at, each in enumerate(becomes) if at and each.text != becomes[at - 1].text]
    in_column = [stage[0] for stage in shapes.stages(pl.Series([sent]))]
    assert [each for at, each in enumerate(in_column) if each != ([sent, *in_column])[at]] == on_the_way
    for each in becomes:
        assert len(each.starts) == len(each.text) + 1
        assert each.sent((0, len(each.text))) == (0, len(sent)) or not each.text


@given(st.text(st.sampled_from("%uUxX\\0149dD8eE\uff10\uff21\u200b\u3002\xa0\xc2Ù\u0661é%5"), max_size=60))
def test_a_column_is_decoded_as_one_text_is(sent: str) -> None:
    """Any mixture of escapes, halves of escapes, surrogates and lookalikes: the same text both ways, in order."""
    decoded = shapes.decode(sent)
    assert shapes.decode_series(pl.Series([sent])).to_list() == [decoded.text]
    assert list(decoded.starts) == sorted(decoded.starts)
    assert len(decoded.starts) == len(decoded.text) + 1


def test_lookalikes_are_what_unicode_says() -> None:
    """A digit stands for its value, a form for the character that it is compatible with; what divides a path stays."""
    for each, plain in lookalikes._meant().items():
        character = each if len(each) == 1 else each.encode("latin-1").decode()
        if plain.isdigit():
            assert unicodedata.digit(character) == int(plain)
        elif plain and character not in "\u2010\u2011\u2212\u3002\uff61":
            assert unicodedata.normalize("NFKC", character) == plain
    digits = {chr(point) for point in range(0x80, 0x110000) if unicodedata.category(chr(point)) == "Nd"}
    if unicodedata.unidata_version.startswith("14."):
        assert digits <= set(lookalikes._meant())
    assert re.search(lookalikes.lookalikes(), "\uff0f\uff1f\uff03\uff1b\uff5e\uff05 /?#;~%aé") is None


@given(st.integers(0, 2**32 - 1).map(IPv4Address), BORDERS, BORDERS)
def test_every_dotted_address_is_found(address: IPv4Address, before: str, after: str) -> None:
    """Bounded by non-digits it is found, whole."""
    text = f"{before}{address}{after.rstrip('.')}"
    assert str(address) in found(shapes.find_ipv4, text)
    assert shapes.personal(pl.Series([text])).to_list() == [True]


@given(st.integers(0, 2**128 - 1).map(IPv6Address), st.booleans(), st.sampled_from(["", "/", "[", " ", "=", ","]))
def test_every_ipv6_address_is_found(address: IPv6Address, long: bool, before: str) -> None:
    """Short and exploded spellings are found, and seen by the gate's question; `::` names nobody."""
    text = address.exploded if long else str(address)
    assert int(address) == 0 or found(shapes.find_ipv6, f"{before}{text}/x") == [text]
    assert int(address) == 0 or shapes.personal(pl.Series([f"{before}{text}]"])).to_list() == [True]


@given(
    st.from_regex(r"[0-9:]{0,8}[0-2][0-9]:[0-5][0-9]:[0-5][0-9]", fullmatch=True).filter(
        lambda t: "::" not in t and t.count(":") < 7
    )
)
def test_a_time_of_day_is_no_address(text: str) -> None:
    """Groups with single colons are an address only if there are eight."""
    assert found(shapes.find_ipv6, text) == []


@given(st.emails(), st.sampled_from(["", "/", " ", "<", ",", "(", "mail/"]))
def test_every_email_is_found(email: str, before: str) -> None:
    """An address as RFC 5322 allows it without quotes is seen; its local part is covered but for what bounds a run."""
    local = email.rpartition("@")[0]
    if not set(local) & set("/{}"):
        assert any(email.startswith(run) or run.endswith(email) for run in found(shapes.find_emails, before + email))
    if local[-1] not in "/{}":
        assert shapes.personal(pl.Series([email])).to_list() == [True]


@given(st.text(st.sampled_from('aB1-_.:@%/0xX+ey9Ff25DE89é\n\\ "'), max_size=200))
def test_the_quick_question_never_says_no_where_the_exact_one_says_yes(text: str) -> None:
    """The pre-filter in a column may be wrong in one direction only; a text counts as sent, and as it is decoded."""
    read = [shapes.decode(text), *(shapes.decode_times(text, times) for times in range(shapes.STAGES))]
    expected = any(shapes.holds_personal(each.text) for each in read)
    assert shapes.personal(pl.Series([text])).to_list() == [expected]


@given(st.from_regex(shapes.ENCODED) | st.from_regex(re.compile(shapes._SUSPECT)))
def test_each_shape_and_escape_has_a_sign(text: str) -> None:
    """What is looked for first is in all that is looked for."""
    assert re.search(shapes._SIGN, text)


@given(st.text(max_size=300))
def test_shapes_never_raise_and_stay_inside(text: str) -> None:
    """Any text: spans in order, not empty, inside the text."""
    for find in (
        shapes.find_ipv4,
        shapes.find_ipv6,
        shapes.find_emails,
        shapes.find_uuids,
        shapes.find_tokens,
        issued.find_ibans,
        issued.find_phones,
        issued.find_cards,
        issued.find_hardware,
    ):
        for start, end in find(text):
            assert 0 <= start < end <= len(text)


def test_what_is_too_long_to_be_looked_at_is_judged_by_the_quick_question() -> None:
    """A suspect of a million characters is a hit; a clean one is not."""
    long = "a/" * 500_000
    assert shapes.personal(pl.Series([long, long + "v1.2.3.4", None])).to_list() == [False, True, False]


@pytest.mark.parametrize(
    "unit", ["1-", "a:", "@a.", "%25", "ey-", "1.", "AA00 ", "+1 ", '"@', "a@", ".html", "-eyJaaaaaaaa", "aA1", "x."]
)
def test_hostile_repetition_costs_little(unit: str) -> None:
    """Exact work on the longest path of any repetition stays in milliseconds (no super-linear pattern)."""
    import time  # noqa: PLC0415  # only this test looks at a clock

    text = (unit * 1024)[:1020] + "z!"
    began = time.process_time()
    for find in (
        shapes.find_ipv4,
        shapes.find_ipv6,
        shapes.find_emails,
        shapes.find_tokens,
        issued.find_ibans,
        issued.find_phones,
        issued.find_cards,
        issued.find_hardware,
    ):
        list(find(shapes.decode(text).text))
    assert time.process_time() - began < 0.1
