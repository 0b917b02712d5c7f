"""The report's page in a real browser: no error, no request, the store's figures, text as text, on any screen."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path

import pytest

from loganon.pages import count, share, shown, size
from loganon.policy import parse_policy
from support.browser import Browser, Page
from support.cli import SAMPLES, Inside
from support.reporting import HOSTILE, Sums, counted, counted_by_time, local_day, make_store, open_policy, plant, weeks
from support.runs import NOW, PLAIN, line

AT = ("--now", NOW.isoformat())
TITLE = "A <b>title</b> \x1b[31m\u202e"
FIELDS = 'method = { as = "list" }\nstatus = { as = "number" }'
CONTRAST = """
(() => {
  const light = c => { const [r, g, b] = c.match(/[0-9.]+/g).map(Number).map(v => v / 255)
    .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b };
  const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05) };
  const behind = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
    if (!/, 0\\)$/.test(c) && c !== 'transparent') return c } return 'rgb(255, 255, 255)' };
  const low = [];
  for (const e of document.querySelectorAll('h1, h2, p, th, td, caption, dt, dd, b, span, summary, svg text')) {
    const style = getComputedStyle(e);
    const found = ratio(e.closest('svg') ? style.fill : style.color, behind(e));
    if (e.textContent.trim() && found < 4.5) low.push([e.tagName, found, e.textContent.slice(0, 30)]);
  }
  for (const e of document.querySelectorAll('svg rect')) {
    const found = ratio(getComputedStyle(e).fill, behind(e));
    if (found < 3) low.push(['rect', found]);
  }
  return low.slice(0, 5);
})()
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser")) as found:
        yield found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A store with hostile names, some of them out of a real log, and its page."""
    folder = tmp_path_factory.mktemp("made")
    sent = ("/<script>alert(1)</script>", "/=cmd()|'calc'!A0", "/<!--", "/%1B[31m")
    log = [*weeks(), *(line(NOW.replace(hour=1), path) for path in sent)]
    store = make_store(folder, log, policy=open_policy(fields=FIELDS), provider_db=[SAMPLES / "providers.mmdb"])
    assert {"/<script>alert(1)</script>", "/=cmd()|'calc'!A0"} <= set(counted(store, "file"))
    plant(store, HOSTILE)
    done = Inside(folder)("report", "--store", store, "--html", "a.html", "--title", TITLE, "--top", "200", *AT)
    assert (done.code, done.out) == (0, ""), done
    return store, folder / "a.html"


@pytest.fixture(scope="module")
def page(browser: Browser, made: tuple[Path, Path]) -> Page:
    """The page on a wide, light screen."""
    return browser.open(made[1])


def test_the_harness_sees(browser: Browser, tmp_path: Path) -> None:
    """An error, a message, a request and a page that is too wide are seen: a test that sees none has looked."""
    path = tmp_path / "bad.html"
    path.write_text(
        '<!doctype html><meta http-equiv="Content-Security-Policy" content="script-src \'unsafe-inline\'">'
        '<img src="http://example.com/a.png"><script>undefined.x</script><script>console.log(1)</script>'
        '<div style="width: 3000px">wide</div><script src="b.js"></script>'
    )
    seen = browser.open(path)
    assert {"http://example.com/a.png", path.as_uri()} <= set(seen.requests)
    assert any("TypeError" in message for message in seen.messages)
    assert any("Content Security Policy" in message for message in seen.messages)
    assert seen.overflow() > 1000
    seen.close()


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [320, 390, 700, 1200, 2400])
def test_no_error_no_request_no_overflow(browser: Browser, made: tuple[Path, Path], width: int, dark: bool) -> None:
    """On any screen in both schemes: nothing on the console, nothing asked for but the file, nothing too wide."""
    seen = browser.open(made[1], width=width, dark=dark)
    assert (seen.messages, seen.requests) == ([], [made[1].as_uri()])
    seen.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert seen.overflow() == 0
    scrolled = seen.evaluate(
        "[...document.querySelectorAll('.wide')].filter(e => e.scrollWidth > e.clientWidth)"
        ".map(e => e.querySelector('caption').textContent.split('.')[0])"
    )
    assert scrolled in ([], ["Coverage"])  # seven columns; on a phone they scroll within their box
    assert not scrolled or width < 600
    seen.close()


def amounts(sums: Sums) -> list[tuple[str, ...]]:
    """The rows that a table of these sums has, the most frequent first."""
    whole = sum(each[0] for each in sums.values())
    order = sorted(sums, key=lambda value: (-sums[value][0], value))
    return [
        (
            shown(value, 160),
            count(sums[value][0]),
            share(sums[value][0], whole),
            share(sums[value][2], sums[value][0]),
            size(sums[value][1]),
        )
        for value in order
    ]


@pytest.mark.parametrize(
    ("caption", "column"),
    [
        ("Files.", "file"),
        ("Browsers.", "browser"),
        ("Browser versions.", "browser || ' ' || browser_version"),
        ("Domains of the providers.", "domain"),
        ("Methods.", "method"),
        ("Status codes.", "status"),
    ],
)
def test_the_figures_are_the_stores(page: Page, made: tuple[Path, Path], caption: str, column: str) -> None:
    """Each table holds what DuckDB finds in the store: every value, accesses, shares, success, data."""
    assert [tuple(row) for row in page.table(caption)] == amounts(counted(made[0], column))


def test_the_totals_are_the_stores(page: Page, made: tuple[Path, Path]) -> None:
    """The figures at the head are those of the whole store."""
    ((requests, octets, good),) = counted(made[0], "'all'").values()
    tiles = page.evaluate("[...document.querySelectorAll('.tiles li')].map(e => e.innerText.split('\\n'))")
    assert tiles[:3] == [
        [count(requests), "accesses"],
        [size(octets), "data sent"],
        [share(good, requests), "succeeded"],
    ]
    assert tiles[3] == [count(len(counted(made[0], "file"))), "different files"]


def test_the_pictures_show_the_figures(page: Page, made: tuple[Path, Path]) -> None:
    """The bars of accesses are as high as the store's figures, and say them; the table has the same."""
    known = counted_by_time(made[0], local_day(UTC))
    found = page.evaluate(
        "(() => { const svg = document.querySelector('.wide-picture svg');"
        "return [...svg.querySelectorAll('.bar')].map(e => [e.querySelector('title').textContent,"
        "Number(e.querySelector('rect').getAttribute('height'))]) })()"
    )
    told = {text.partition(": ")[0]: text.partition(": ")[2] for text, _ in found}
    assert told == {
        day: f"{count(sums[0])} access{'' if sums[0] == 1 else 'es'}, {count(sums[0] - sums[2])} failed"
        for day, sums in known.items()
    }
    heights: dict[str, float] = {}
    for text, height in found:
        heights[text.partition(": ")[0]] = heights.get(text.partition(": ")[0], 0) + height
    unit = max(heights.values()) / max(sums[0] for sums in known.values())
    assert all(abs(heights[day] - sums[0] * unit) < 0.5 for day, sums in known.items())
    table = {row[0]: row[1] for row in page.table("By day.")}
    assert table == {day: count(sums[0]) for day, sums in known.items()}


def test_hostile_names_are_text(page: Page, made: tuple[Path, Path]) -> None:
    """Markup, formulas, ESC, bidi overrides and templates in a file's name, and in the title, are shown, not obeyed."""
    names = {row[0] for row in page.table("Files.")}
    assert {shown(name, 160) for name in (*HOSTILE, "/<script>alert(1)</script>")} <= names
    assert page.evaluate("document.querySelectorAll('script, img, iframe, object, a, form, b b').length") == 0
    whole = page.evaluate("document.documentElement.outerHTML")
    assert not set(whole) & set(map(chr, (*range(9), 11, 12, *range(14, 32), 127, 0x202E, 0x2066)))
    assert page.evaluate("document.title") == shown(TITLE)
    assert page.text("h1") == shown(TITLE)
    assert made[1].read_text("utf-8").count("<script") == 0


def test_who_does_not_see_the_pictures(page: Page) -> None:
    """Each picture says in words what it shows; no id stands twice; headings, tables and language are marked up."""
    labels = page.evaluate(
        "[...document.querySelectorAll('svg')].map(e => [e.getAttribute('role'), e.getAttribute('aria-label')])"
    )
    assert len(labels) == 6
    assert all(role == "img" for role, _ in labels)
    for title in ("Accesses by day", "Data sent by day", "Accesses by hour of the day", "Accesses by weekday"):
        assert any(re.match(rf"{title}, .+: the most is .+, the mean .+\. The table", text) for _, text in labels), (
            title
        )
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))
    assert page.evaluate("document.documentElement.lang") == "en"
    assert page.evaluate("document.querySelectorAll('h1').length") == 1
    assert page.evaluate(
        "[...document.querySelectorAll('table')].every(t => t.caption && t.tHead.querySelector('th[scope=col]'))"
    )
    assert page.evaluate("[...document.querySelectorAll('tbody tr')].every(r => r.cells[0].matches('th[scope=row]'))")


@pytest.mark.parametrize("dark", [False, True])
def test_contrast(browser: Browser, made: tuple[Path, Path], dark: bool) -> None:
    """Text stands out from what is behind it by 4.5 to 1, bars by 3 to 1 (WCAG 2.2), in both schemes."""
    seen = browser.open(made[1], dark=dark)
    assert seen.evaluate(CONTRAST) == []
    background = seen.evaluate("getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g).map(Number)[0]")
    assert (background < 50) == dark
    seen.close()


def test_one_picture_of_each(browser: Browser, made: tuple[Path, Path]) -> None:
    """A phone has the narrow pictures, a wide screen the wide ones, never both, and their text can be read."""
    for width, fewest in ((360, 9), (760, 12), (1000, 10), (1200, 12)):
        seen = browser.open(made[1], width=width)
        sizes = seen.evaluate(
            "[...document.querySelectorAll('svg')].filter(e => e.getBoundingClientRect().width)"
            ".map(e => 13 * e.getBoundingClientRect().width / e.viewBox.baseVal.width)"
        )
        assert len(sizes) == 4, width
        assert min(sizes) >= fewest, width
        seen.close()


def test_a_picture_that_stands_alone_is_no_larger(browser: Browser, tmp_path: Path) -> None:
    """Where days are kept the weekdays do not take the place of the hours, too; `other` is not counted as a file."""
    text = PLAIN.replace('"hour"', '"day"').replace('"path"', '"path", routes = ["/"]')
    policy = parse_policy(text.replace("[fields]", "[purpose]\nevaluate = true\n[fields]"), where="days")
    store = make_store(tmp_path, weeks(), policy=policy)
    assert Inside(tmp_path)("report", "--store", store, "--html", "a.html", *AT).code == 0
    seen = browser.open(tmp_path / "a.html", width=1200)
    tiles = seen.evaluate("[...document.querySelectorAll('.tiles li')].map(e => e.innerText.split('\\n'))")
    assert ["1", "different files"] in tiles
    sizes = seen.evaluate(
        "[...document.querySelectorAll('svg')].filter(e => e.getBoundingClientRect().width)"
        ".map(e => 13 * e.getBoundingClientRect().width / e.viewBox.baseVal.width)"
    )
    assert len(sizes) == 3
    assert 10 <= min(sizes) <= max(sizes) <= 18
    seen.close()


def test_it_prints(page: Page) -> None:
    """The page can be printed: a PDF of several pages."""
    assert page.pdf().startswith(b"%PDF")


def test_it_prints_whole(browser: Browser, made: tuple[Path, Path]) -> None:
    """On paper the page is light, whatever the reader's scheme; it is no wider than A4, and has the wide pictures."""
    seen = browser.open(made[1], width=718, dark=True)
    scheme = {"name": "prefers-color-scheme", "value": "dark"}
    browser.call("Emulation.setEmulatedMedia", {"media": "print", "features": [scheme]}, seen.session)
    assert seen.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert seen.overflow() == 0
    assert seen.evaluate("document.querySelector('.wide-picture svg').getBoundingClientRect().width") > 600
    assert seen.evaluate(CONTRAST) == []
    seen.close()


@pytest.mark.parametrize("name", ["report-light", "report-dark", "report-phone"])
def test_the_pictures_of_the_documents(name: str) -> None:
    """They are there, linked from the page about reports, and small."""
    docs = Path(__file__).parent.parent / "docs"
    data = (docs / "images" / f"{name}.png").read_bytes()
    assert data.startswith(b"\x89PNG")
    assert len(data) < 300_000
    assert f"(images/{name}.png)" in (docs / "report.md").read_text("utf-8")
