"""Error logs: what tells of a person masked, the rest kept, and what cannot be judged not written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leaks import Needles, addresses_in
from loganon.chunks import MAX_LINE_BYTES, Chunk
from loganon.errorlog import ErrorLog
from loganon.render import Written

APACHE = "[Wed Oct 11 14:32:52.123456 2026] [core:error] [pid 35708:tid 4328636416] "
NGINX = "2026/10/10 13:55:36 [error] 123#123: *1234567 "
BEGIN = {"apache": APACHE, "nginx": NGINX}
ADDRESSES = [
    "203.0.113.7",
    "203.0.113.7:52100",
    "2001:db8::7",
    "[2001:db8::7]:443",
    "::ffff:203.0.113.7",
    "203.0.113.7%20",
]
MAIL = "jane.doe@example.org"
PLACES = ["client: ", "[client ", "] ", ", ", '"', 'request: "GET /', " HTTP/1.1", 'host: "', "referer: ", "user "]


def cases(name: str) -> list[dict[str, str]]:
    """The cases of one data file."""
    text = (Path(__file__).parent / "cases" / "errorlog" / f"{name}.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


def mask(server: str, *lines: str | bytes) -> Written:
    """The lines, masked."""
    data = b"".join((line if isinstance(line, bytes) else line.encode()) + b"\n" for line in lines)
    return ErrorLog(server)(Chunk(data, 0, len(data)))


def masked(server: str, message: str) -> str:
    """One message, masked; its beginning is kept."""
    part = mask(server, BEGIN[server] + message)
    assert part.written == part.lines == 1
    text = part.text.decode()
    assert text.startswith(BEGIN[server])
    return text.removeprefix(BEGIN[server]).removesuffix("\n")


@pytest.mark.parametrize("case", cases("places"), ids=lambda case: case["rule"])
@pytest.mark.parametrize("address", ADDRESSES)
def test_known_places(case: dict[str, str], address: str) -> None:
    """Each known place is masked whatever spelling stands there, and the rest of the line is as it was."""
    assert masked(case["server"], case["message"].replace("<address>", address)) == case["becomes"]


@pytest.mark.parametrize("case", cases("messages"), ids=lambda case: case["rule"])
def test_messages(case: dict[str, str]) -> None:
    """What identifies by its place or its form is masked; messages without it are unchanged; masking twice is once."""
    assert masked(case["server"], case["message"]) == case["becomes"]
    assert masked(case["server"], case["becomes"]) == case["becomes"]


def test_what_is_left_costs_the_message() -> None:
    """A line too long to be judged, in which an address may still stand, keeps only its beginning, and is counted."""
    part = mask("apache", APACHE + "word " * 1000 + "Foo::bar")
    assert part.text.decode() == APACHE.removesuffix("[pid 35708:tid 4328636416] ") + "{redacted}\n"
    assert part.redacted == 1


def test_not_written() -> None:
    """Not written, but counted: other lines, no UTF-8, NUL, over 1 MiB."""
    long = APACHE + "x" * MAX_LINE_BYTES
    part = mask(
        "apache", "a stack trace of 203.0.113.7", APACHE.encode() + b"\xff", APACHE + "\0", long, APACHE + "kept"
    )
    assert part.text.decode() == APACHE + "kept\n"
    assert part.rejected == {"malformed": 2, "binary": 1, "too_long": 1}
    assert part.lines == 5
    assert part.written == 1


def test_empty() -> None:
    """No line gives no byte."""
    assert mask("nginx", "", "").text == b""


@given(
    st.sampled_from(["apache", "nginx"]),
    st.lists(
        st.one_of(
            st.sampled_from(PLACES),
            st.ip_addresses().map(lambda found: f" {found} "),
            st.ip_addresses().map(lambda found: f"'{found}'"),
            st.ip_addresses().map(lambda found: f"http://{found}/?a=b"),
            st.just(f" {MAIL} "),
            st.text(max_size=12).filter(lambda text: "\n" not in text),
        ),
        max_size=12,
    ),
)
def test_no_address_passes(server: str, parts: list[str]) -> None:
    """Whatever a message is made of, no address and no e-mail of it is written, and each line is accounted for."""
    message = "".join(parts)
    part = mask(server, BEGIN[server] + message)
    assert part.lines == part.written + part.rejected.total()
    given_ones = {token for text in parts if "." in text or ":" in text for token in addresses_in(text)}
    assert not Needles(given_ones).found_in(part.text)
    assert MAIL.encode() not in part.text
