"""Error logs: what tells of a person masked, the rest kept, and what cannot be judged not written."""

from __future__ import annotations

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
ADDRESSES = ["203.0.113.7", "203.0.113.7:52100", "2001:db8::7", "[2001:db8::7]:443", "::ffff:203.0.113.7", "203.0.113.7%20"]
MAIL = "jane.doe@example.org"


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


@pytest.mark.parametrize(
    ("server", "message", "becomes"),
    [
        ("apache", "[client {0}] File does not exist: /srv/favicon.ico", "[client {{ip}}] File does not exist: /srv/favicon.ico"),
        ("apache", "[client {0}] AH01630: denied: /srv/users/jane, referer: https://r.example/?q={0}", "[client {{ip}}] AH01630: denied: /srv/users/{{user}}, referer: {{url}}"),
        ("apache", "[remote {0}] AH00957: HTTP: attempt failed", "[remote {{ip}}] AH00957: HTTP: attempt failed"),
        ("nginx", 'open() "/srv/a" failed (2: No such file or directory), client: {0}, server: shop.example, request: "GET /a?t={0} HTTP/1.1", upstream: "http://{0}/a", host: "{0}", referrer: "http://{0}/"', 'open() "/srv/a" failed (2: No such file or directory), client: {{ip}}, server: shop.example, request: "GET /a HTTP/1.1", upstream: "{{url}}", host: "{{host}}", referrer: {{url}}'),
    ],
)  # fmt: skip
@pytest.mark.parametrize("address", ADDRESSES)
def test_known_places(server: str, message: str, becomes: str, address: str) -> None:
    """Each known place is masked whatever spelling stands there, and the rest of the line is as it was."""
    assert masked(server, message.format(address)) == becomes.format()


@pytest.mark.parametrize(
    ("server", "message", "becomes"),
    [
        ("apache", "[client p5b0c1a2f.dip0.t-ipconnect.de] x", "[client {ip}] x"),
        ("apache", '[client 203.0.113.7] user jane doe: authentication failure for "/s?x=1": Password Mismatch', '[client {ip}] user {user}: authentication failure for "/s": Password Mismatch'),
        ("apache", "see http://jane:secret@ex.example/x?y now", "see {url} now"),
        ("apache", f"mail to {MAIL} and jane%40example.org", "mail to {email} and {email}"),
        ("apache", '[data "Matched Data: jane doe"] [uri "/a/jane@example.org"]', '[data "{redacted}"] [uri "/a/{email}"]'),
        ("apache", "cookie: sid=1; name=jane", "cookie: {redacted}"),
        ("apache", "token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl sent", "token {token} sent"),
        ("apache", "PHP Notice: Undefined index Foo::bar in /srv/x.php on line 3", "PHP Notice: Undefined index Foo::bar in /srv/x.php on line 3"),
        ("apache", "tab\there", "tab\\x09here"),
        ("nginx", 'user "jane" was not found in "/etc/.htpasswd"', 'user "{user}" was not found in "/etc/.htpasswd"'),
        ("nginx", 'x, request: "GET /users/jane?a=b" HTTP/1.1", host: "h"', 'x, request: "GET /users/{user} HTTP/1.1", host: "{host}"'),
        ("nginx", 'x, request: "GET /a", host: "jane doe" HTTP/1.1"', 'x, request: "{invalid}", host: "{host}" HTTP/1.1"'),
        ("nginx", 'x, request: "\\x16\\x03jane"', 'x, request: "{invalid}"'),
        ("nginx", 'x, request: "GET /cut/off?q=jane', 'x, request: "GET /cut/off'),
        ("nginx", "bind() to [::]:80 failed (98: Address already in use)", "bind() to [::]:80 failed (98: Address already in use)"),
    ],
)  # fmt: skip
def test_messages(server: str, message: str, becomes: str) -> None:
    """What identifies by its place or its form is masked; messages without it are unchanged; masking twice is once."""
    assert masked(server, message) == becomes
    assert masked(server, becomes) == becomes


def test_what_is_left_costs_the_message() -> None:
    """A line in which an address is still found keeps only its beginning, and is counted."""
    part = mask("apache", APACHE + f'"jane doe"@example.org wrote {"x" * 5000} ::1')
    assert part.text.decode() == APACHE.removesuffix("[pid 35708:tid 4328636416] ") + "{redacted}\n"
    assert part.redacted == 1


def test_not_written() -> None:
    """Not written, but counted: other lines, no UTF-8, NUL, over 1 MiB."""
    long = APACHE + "x" * MAX_LINE_BYTES
    part = mask("apache", "a stack trace of 203.0.113.7", APACHE.encode() + b"\xff", APACHE + "\0", long, APACHE + "kept")
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
            st.sampled_from(["client: ", "[client ", "] ", ", ", '"', 'request: "GET /', " HTTP/1.1", 'host: "', "referer: ", "user "]),
            st.ip_addresses().map(lambda found: f" {found} "),
            st.ip_addresses().map(lambda found: f"'{found}'"),
            st.ip_addresses().map(lambda found: f"http://{found}/?a=b"),
            st.just(f" {MAIL} "),
            st.text(max_size=12).filter(lambda text: "\n" not in text),
        ),
        max_size=12,
    ),
)  # fmt: skip
def test_no_address_passes(server: str, parts: list[str]) -> None:
    """Whatever a message is made of, no address and no e-mail of it is written, and each line is accounted for."""
    message = "".join(parts)
    part = mask(server, BEGIN[server] + message)
    assert part.lines == part.written + part.rejected.total()
    given_ones = {token for text in parts if "." in text or ":" in text for token in addresses_in(text)}
    assert not Needles(given_ones).found_in(part.text)
    assert MAIL.encode() not in part.text
