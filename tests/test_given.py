"""Formats that an operator gives: the server's own string, a file, the server's configuration."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from loganon import anonymize
from loganon.chunks import Chunk
from loganon.errors import ConfigurationError, MissingInputError
from loganon.exclude import SIGNALS
from loganon.fields import FIELDS
from loganon.formats import Format, load_formats
from loganon.formats.columns import FORWARDED, RAW
from loganon.formats.given import resolve
from loganon.parse import directives_of, make_parser
from support.cli import Command, Inside

NEEDS = frozenset({"client", "request", "path", "status", "bytes", "agent", "method", "host"})
T = "[10/Oct/2026:13:55:36 +0000]"
MAIN = '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent'


def read(fmt: Format | None, line: str) -> dict[str, Any]:
    assert fmt is not None
    data = line.encode() + b"\n"
    parsed = make_parser(fmt, needs=NEEDS)(Chunk(data, 0, len(data)), ())
    found = {name: column.to_pylist()[0] for name, column in parsed.columns.items()} if parsed.rows else {}
    return {name: value.decode() if isinstance(value, bytes) else value for name, value in found.items()}


CASES: list[tuple[str, str, dict[str, Any]]] = [
    ("apache:%h %t %>s", f"203.0.113.7 {T} 200", {"client": "203.0.113.7", "status": 200}),
    (r"apache:\"%400,501{User-agent}i\" %!200,304s %>s %t", f'"x y" - 404 {T}', {"agent": "x y", "status": 404}),
    ("apache:%t %s %>s", f"{T} 302 200", {"status": 200}),
    ("apache:%t %b %O", f"{T} - 900", {"bytes": 0}),
    ("apache:%t %O", f"{T} 900", {"bytes": 900}),
    ("apache:%{c}a:%{remote}p %a %t", f"198.51.100.1:80 203.0.113.7 {T}", {"client": "203.0.113.7"}),
    ("apache:%{c}a:%{remote}p %t", f"2001:db8::1:4711 {T}", {"client": "2001:db8::1"}),
    ("apache:100%% %h %t", f"100% 203.0.113.7 {T}", {"client": "203.0.113.7"}),
    ("apache:%{sec}t %h", "1791640536 203.0.113.7", {"client": "203.0.113.7"}),
    ("apache:%{msec}t %h", "1791640536000 203.0.113.7", {"client": "203.0.113.7"}),
    ("apache:%{usec}t %h", "1791640536000000 203.0.113.7", {"client": "203.0.113.7"}),
    ("apache:%{sec}t.%{msec_frac}t %h", "1791640536.000 203.0.113.7", {"client": "203.0.113.7"}),
    ("apache:%h [%{%d/%b/%Y:%T}t.%{msec_frac}t %{%z}t]", "203.0.113.7 [10/Oct/2026:15:55:36.000 +0200]", {}),
    ("apache:%{end:%Y-%m-%dT%H:%M:%SZ}t %U%q", "2026-10-10T13:55:36Z /a?x", {"path": "/a?x"}),
    (r"apache:%t \"%m %U%q %H\" %>s", f'{T} "GET /a HTTP/1.1" 200', {"path": "/a", "status": 200}),
    (r"apache:%t \"%m %U%q\" %>s", f'{T} "GET /a b?c d" 200', {"path": "/a b?c d"}),
    ("apache:%t %q %>s", f"{T}  200", {"status": 200}),  # no query
    ("nginx:$time_iso8601 $uri$is_args$args", "2026-10-10T13:55:36Z /a-", "touch"),
    ("apache:%{X-Forwarded-For}i %l %u %t", f"203.0.113.7, 10.0.0.1 - - {T}", {"client": "203.0.113.7, 10.0.0.1"}),
    ("apache:%{X-Forwarded-For}i %h %t", f"198.51.100.1, 10.0.0.1 203.0.113.7 {T}", {"client": "203.0.113.7"}),
    ("apache:%h %{X-Forwarded-For}i %t", f"203.0.113.7 198.51.100.1, 10.0.0.1 {T}", {"client": "203.0.113.7"}),
    ("apache:%h %^FB %t", f"203.0.113.7 - {T}", {"client": "203.0.113.7"}),
    ("apache:%{%a %b %e %T %Y}t %U %q", "Sat Oct 10 13:55:36 2026 /a ?x", {"path": "/a"}),
    ("apache:%{%I:%M:%S %p %D}t %m", "01:55:36 PM 10/10/26 GET", {"method": "GET"}),
    (r'apache:"%h \"%r\" %t"', f'203.0.113.7 "GET / HTTP/1.1" {T}', {"request": "GET / HTTP/1.1"}),
    (r'apache:"%h \"%r\" %t" mine', f'203.0.113.7 "GET / HTTP/1.1" {T}', {"request": "GET / HTTP/1.1"}),
    (r'apache:LogFormat "%h \"%r\" %t" mine', f'203.0.113.7 "GET / HTTP/1.1" {T}', {"request": "GET / HTTP/1.1"}),
    (f"nginx:{MAIN}", f'203.0.113.7 - a b {T} "GET /a HTTP/1.1" 200 9', {"bytes": 9, "request": "GET /a HTTP/1.1"}),
    ("nginx:'$remote_addr '  '[$time_local] '\n '\"$request\"'", f'203.0.113.7 {T} "GET"', {"request": "GET"}),
    (
        "nginx:log_format m escape=none '$remote_addr [$time_local] \"$request\"';",
        f'::1 {T} "a\\x22"',
        {"request": "a\\x22"},
    ),
    ('nginx:escape=json \'{"a":"$remote_addr","t":"$msec"}\'', '{"a":"::1","t":"1791640536.000"}', {"client": "::1"}),
    (
        "nginx:$server_addr:$server_port $remote_addr:$remote_port $msec",
        "2001:db8::1:443 ::2:5 1791640536.000",
        {"client": "::2"},
    ),
    ("nginx:$msec\t$host\t$remote_addr", "1791640536.000\tw-1.ex.com\t::1", {"client": "::1", "host": "w-1.ex.com"}),
    ("nginx:$msec|$server_name|$remote_addr", "1791640536.000|_|::1", {"client": "::1", "host": "_"}),
    ("nginx:$remote_addr ($host) [$time_local]", f"::1 (www.ex.com) {T}", {"client": "::1", "host": "www.ex.com"}),
    ("apache:%h %V>%v %t", f"::1 a.ex>b.ex {T}", {"client": "::1", "host": "b.ex"}),
    ("apache:%v;%p;%h %t", f"[2001:db8::1];443;::1 {T}", {"client": "::1", "host": "[2001:db8::1]"}),
    ("nginx:$time_iso8601 ${status} $request_time $own", "2026-10-10T13:55:36+00:00 200 0.1 x y", {"status": 200}),
    ("nginx:$msec $upstream_addr $status", "1791640536.000 10.0.0.1:80, 10.0.0.2:80 : unix:/a 200", {"status": 200}),
    ("nginx:$http_x_forwarded_for $remote_addr $msec", "a, b 203.0.113.7 1791640536.000", {"client": "203.0.113.7"}),
    (
        'nginx:[$time_local] "$request_method $request_uri" $status',
        f'{T} "GET /a b" 200',
        {"path": "/a b", "status": 200},
    ),
]


@pytest.mark.parametrize(("given", "line", "want"), CASES, ids=[case[0] for case in CASES])
def test_strings(given: str, line: str, want: dict[str, Any] | str) -> None:
    """A pasted string reads the lines that the server writes by it."""
    if want == "touch":
        with pytest.raises(ConfigurationError, match="touch"):
            resolve(given)
        return
    found = read(resolve(given), line)
    assert found.pop("time").replace(tzinfo=UTC) == datetime(2026, 10, 10, 13, 55, 36, tzinfo=UTC)
    assert found.items() >= dict(want).items()


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ("apache:%h%u %t", ("%h", "%u")),
        ("apache:%t %r %>s", ("%r", "%>s")),
        ("apache:%t %{User-Agent}i %>s", ("%{User-Agent}i", "%>s")),
        ("nginx:[$time_local] $request $status", ("$request", "$status")),
        ("nginx:$msec$status", ("$msec", "$status")),
    ],
)
def test_what_cannot_be_cut_is_refused(given: str, names: tuple[str, str]) -> None:
    """A template of which a line could be cut in two ways is refused (78) with the two directives that touch."""
    with pytest.raises(ConfigurationError) as caught:
        resolve(given)
    assert all(name in caught.value.what for name in names)


@pytest.mark.parametrize(
    "given", ["apache:%h %Q %t", "apache:%h", "nginx:$remote_addr", "apache:%{%Q}t", "none", "nginx:"]
)
def test_what_is_wrong_is_refused(given: str) -> None:
    """An unknown directive, time conversion or name, and a template without a time."""
    with pytest.raises(ConfigurationError):
        read(resolve(given), "")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("apache:combined", "without apache:"),
        ('nginx: -  [] ""   ""', "in single quotes"),  # the shell took the variables away
        ("%h %l %u %t", "Put `apache:`"),
        ("$remote_addr [$time_local]", "Put `nginx:`"),
    ],
)
def test_what_is_no_string_of_a_server_says_what_is_meant(given: str, says: str) -> None:
    """A nickname behind `apache:`, a string in double quotes, and one without its server: the way out is named."""
    with pytest.raises(ConfigurationError) as caught:
        resolve(given)
    assert says in caught.value.fix


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("server { access_log /a.log main; }\n", "defined elsewhere"),
        ("CustomLog ${DIR}/a.log combined\n", "defined elsewhere"),
        ("203.0.113.7 - - no configuration at all\n", "defines no log format"),
    ],
)
def test_a_site_without_the_format_it_uses(text: str, says: str, tmp_path: Path) -> None:
    """A configuration that uses a format of another file, and one of none, are refused; no other is taken for it."""
    (tmp_path / "site.conf").write_text(text)
    with pytest.raises(ConfigurationError, match=says):
        resolve(source=str(tmp_path / "site.conf"))


@pytest.mark.parametrize(
    ("given", "line", "want"),
    [
        (
            'nginx:$remote_addr [$time_local] "$request" $status',
            f'::1 {T} "GET /a H" 200',
            {"success": True, "bytes": 0},
        ),
        (
            'nginx:$remote_addr [$time_local] "$request" $bytes_sent',
            f'::1 {T} "GET /a H" 9',
            {"success": False, "bytes": 9},
        ),
        ("apache:%h %t", f"::1 {T}", {"success": False, "bytes": 0, "file": "{invalid}", "browser": "unknown"}),
    ],
)
def test_a_string_without_status_or_size(given: str, line: str, want: dict[str, Any]) -> None:
    """What the server does not log has its field's empty answer: no success, no bytes."""
    result = anonymize([line], format=given)
    assert not any(result.rejected.values())
    assert result.table.to_pylist()[0].items() >= want.items()


def test_personal() -> None:
    """Of each directive it is known whether it tells of a person."""
    fmt = resolve("nginx:$remote_addr $cookie_a $own $request_time $ssl_protocol $remote_user [$time_local]")
    assert fmt is not None
    assert [d.personal for d in directives_of(fmt)] == [True, True, True, False, False, True, False]


NGINX = r"""
user www-data; # log_format x 'no';
http {
    log_format  main  '$remote_addr - $remote_user [$time_local] "$request" '
                      '$status $body_bytes_sent';
    include conf.d/*.conf;
    server { access_log /var/log/nginx/a.log main buffer=32k; }
}
"""


def test_nginx_configuration(tmp_path: Path) -> None:
    """The format that is used, or one by name, also from an included file; combined needs no definition."""
    conf = tmp_path / "nginx.conf"
    conf.write_text(NGINX)
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d/own.conf").write_text("""log_format "j" escape=json '{"t":"$msec"}';\ninclude nginx.conf;""")
    used = resolve(source=str(conf))
    assert used is not None
    assert (used.name, used.template) == ("nginx:main", MAIN)
    other = resolve(source=f"{conf}:j")
    assert other is not None
    assert (other.escape, other.time) == ("json", "epoch_s")
    assert resolve(source=f"{conf}:combined") is not None
    with pytest.raises(ConfigurationError, match="j, main"):
        resolve(source=f"{conf}:x")
    with pytest.raises(MissingInputError):
        resolve(source=str(tmp_path / "x.conf"))


def test_apache_configuration(tmp_path: Path) -> None:
    """The same of Apache's; continued lines; a format in CustomLog itself; which one must be certain."""
    conf = tmp_path / "apache2.conf"
    conf.write_text(
        'LogFormat "%h %l %u %t \\"%r\\"\\\n %>s %b" common\nLogFormat "%h %t" short\nIncludeOptional sites/*.conf\n'
    )
    (tmp_path / "sites").mkdir()
    (tmp_path / "sites/a.conf").write_text("<VirtualHost *:80>\n CustomLog ${DIR}/a.log common\n</VirtualHost>\n")
    used = resolve(source=str(conf))
    assert used is not None
    assert used.name == "apache:common"
    assert read(used, f'::1 - - {T} "GET /" 200 5')["bytes"] == 5
    (tmp_path / "sites/b.conf").write_text('CustomLog /b.log "%h %t %>s"\n')
    with pytest.raises(ConfigurationError, match="not certain"):
        resolve(source=str(conf))
    assert resolve(source=f"{conf}:short") is not None


def test_a_format_file(tmp_path: Path) -> None:
    """A format takes one file; of the three options one may be given."""
    file = tmp_path / "mine.toml"
    file.write_text('title = "t"\nvendor = "https://example.org/"\ndialect = "template"\ntemplate = "%h|%{iso}t|%>s"\n')
    fmt = resolve(file=file)
    assert read(fmt, "::1|2026-10-10T13:55:36Z|200")["status"] == 200
    with pytest.raises(ConfigurationError, match="both"):
        resolve("combined", file=file)
    with pytest.raises(MissingInputError):
        resolve(file=tmp_path / "none.toml")


TABLES = re.findall(
    r"```toml\n(.*?)```", (Path(__file__).parent.parent / "docs/formats.md").read_text("utf-8"), re.DOTALL
)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            TABLES[0],
            '{"requestTime":"10/Oct/2026:13:55:36 +0000","ip":"203.0.113.7","url.path":"/a?x","status":"200","x":"y"}',
        ),
        (TABLES[1], "date,time,uri,ip,code\n2026-10-10,13:55:36,/a?x,203.0.113.7,200"),
        (TABLES[1], "2026-10-10,13:55:36,203.0.113.7,/a?x,200"),
    ],
)
def test_the_format_files_of_the_documentation(tmp_path: Path, text: str, line: str) -> None:
    """What docs/formats.md gives as an example of a format file reads such lines, and `preview` knows each name."""
    (tmp_path / "own.toml").write_text(text)
    (tmp_path / "access.log").write_text(line + "\n")
    found = read(resolve(file=tmp_path / "own.toml"), line)
    assert found.items() >= {"client": "203.0.113.7", "path": "/a?x", "status": 200}.items()
    done = Inside(tmp_path)("preview", "access.log", "--format-file", "own.toml")
    assert (done.code, "1 of 1 lines read" in done.out) == (0, True)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("client =", "clinet ="), "expected client"),
        (('requires = ["client"', 'requires = ["ip"'), r"\[requires\] names 'ip'"),
        (("jsonlines", "json"), "'dialect' must be one of"),
        (("[keys]", "example = 5\n[keys]"), "'example' must be a list"),
        (("[keys]", "example = [5]\n[keys]"), "each example must be a table"),
        (("[keys]", '[decode]\nagnet = "plus"\n[keys]'), "expected agent"),
        (("jsonlines", 'template"\noptional = 5\ntemplate = "%h %t'), "'optional' must be a list"),
    ],
)
def test_a_mistake_in_a_format_file(tmp_path: Path, change: tuple[str, str], says: str) -> None:
    """It is named with the file as it was given (78): an unknown name left its field empty in every line, unseen."""
    text = TABLES[0].replace(*change)
    assert text != TABLES[0]
    if "template" in text:
        text = text[: text.index("requires")]
    (tmp_path / "own.format").write_text(text)
    with pytest.raises(ConfigurationError, match=says) as caught:
        resolve(file=tmp_path / "own.format")
    assert caught.value.where == str(tmp_path / "own.format")


def test_a_row_of_names_stands_between_commas(tmp_path: Path) -> None:
    """A header that is a row is known by its commas: with another delimiter its log would be malformed (78)."""
    (tmp_path / "own.toml").write_text(TABLES[1].replace('"comma"', '"tab"', 1))
    with pytest.raises(ConfigurationError, match="needs 'comma'"):
        resolve(file=tmp_path / "own.toml")


def test_the_names_of_raw_columns() -> None:
    """A format file may name each raw column that a field or a consent reads, and no other."""
    read_by_fields = {name for row in FIELDS.values() for name in row.raw}
    assert set(RAW) == read_by_fields | set(SIGNALS.values()) | {FORWARDED}


def test_a_time_without_a_year() -> None:
    """It is that of the year, or the month, that brings it nearest to the day given; without one it is refused."""
    given = r"apache:%h [%{%d:%H:%M:%S}t] \"%r\""
    line = 'h [31:23:53:25] "GET / HTTP/1.0"'
    for day, want in (
        (date(1995, 8, 29), (1995, 8, 31)),
        (date(1995, 9, 3), (1995, 8, 31)),
        (date(2026, 1, 1), (2025, 12, 31)),
    ):
        assert read(resolve(given, day=day), line)["time"].timetuple()[:3] == want
    with pytest.raises(ConfigurationError, match="no year"):
        read(resolve(given), "")
    short = "apache:%{%b %e %H:%M:%S}t %h"
    for written, want in (("Dec 31 23:00:00", 2025), ("Jan  2 23:00:00", 2026), ("Feb 29 23:00:00", 0)):
        found = read(resolve(short, day=date(2026, 1, 1)), f"{written} h")
        assert (found["time"].year if found else 0) == want
    with pytest.raises(ConfigurationError, match="--date"):
        resolve(day=date(2026, 1, 1))


@pytest.mark.parametrize(
    "words", [("preview",), ("filter",), ("run", "--now", "2026-10-11T12:00:00Z", "--final", "--store", "store")]
)
def test_times_without_an_offset_are_noted(tmp_path: Path, words: tuple[str, ...]) -> None:
    """Each command that reads a log says where times without an offset are read as UTC, unless a zone is given."""
    log = tmp_path / "access.log"
    command = Command(tmp_path) if words[0] == "filter" else Inside(tmp_path)  # it writes to its descriptor
    example = next(e.line for e in load_formats()["haproxy_http"].examples if e.reject is None)
    log.write_text(example + "\n")
    note = f"loganon: {log}: its times have no offset and are read as UTC; see --timezone\n"
    assert note in command(words[0], log, *words[1:]).err
    assert "no offset" not in command(words[0], log, *words[1:], "--timezone", "Europe/Berlin").err
    named = log.with_name("named.log")
    named.write_text("203.0.113.7 [10/Oct/2026:13:55:36 CEST] 200\n")
    form = ("--format", "apache:%h [%{%d/%b/%Y:%T %Z}t] %>s")
    assert note.replace("access", "named") in command(words[0], named, *words[1:], *form).err
    log.write_text(f'203.0.113.7 - - {T} "GET / HTTP/1.1" 200 1\n')
    assert "no offset" not in command(words[0], log, *words[1:]).err


def test_a_zone_that_is_only_named() -> None:
    """A zone's name says nothing but for UTC's: the time is of the zone that is given."""
    fmt = resolve("apache:%h [%{%d/%b/%Y:%T %Z}t] %>s")
    assert fmt is not None
    for name, hour in (("CEST", 11), ("EST", 11), ("UTC", 13), ("GMT", 13)):
        data = f"203.0.113.7 [10/Oct/2026:13:55:36 {name}] 200\n".encode()
        parser = make_parser(fmt, needs=NEEDS, timezone=ZoneInfo("Europe/Berlin"))
        moment = parser(Chunk(data, 0, len(data)), ()).columns["time"][0].as_py()
        assert moment.replace(tzinfo=UTC) == datetime(2026, 10, 10, hour, 55, 36, tzinfo=UTC)
