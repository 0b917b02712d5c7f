"""The format files: each says what it reads and what it refuses, and its examples are true."""

from __future__ import annotations

from datetime import datetime
from itertools import permutations

import pytest

from loganon.chunks import Chunk
from loganon.errors import ConfigurationError
from loganon.formats import Example, Format, load_formats, parse_format
from loganon.parse import Parsed, make_parser

FORMATS = load_formats()
EXAMPLES = [(fmt, example) for fmt in FORMATS.values() for example in fmt.examples]
FILE = 'title = "t"\nvendor = "https://example.org/"\ndialect = "template"\ntemplate = "%h %t"\n'


def read(fmt: Format, example: Example) -> Parsed:
    data = example.line.encode() + b"\n"
    parser = make_parser(
        fmt, needs=frozenset({"client", "host", "request", "path", "status", "bytes", "referrer", "agent"})
    )
    return parser(Chunk(data, 0, len(data)), ())


@pytest.mark.parametrize(("fmt", "example"), EXAMPLES, ids=[f"{fmt.name}-{i}" for i, (fmt, _) in enumerate(EXAMPLES)])
def test_examples(fmt: Format, example: Example) -> None:
    """The line of an example gives its fields, all of them and no others, or is rejected for the reason it names."""
    parsed = read(fmt, example)
    if example.reject is not None:
        assert parsed.rejected == {example.reject: 1}
        return
    assert parsed.rejected == {}
    found = {name: column.to_pylist()[0] for name, column in parsed.columns.items()}
    for name, value in found.items():
        if isinstance(value, bytes):
            found[name] = value.decode()
        elif isinstance(value, datetime):
            found[name] = value.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert found == dict(example.fields)


@pytest.mark.parametrize("fmt", FORMATS.values(), ids=FORMATS)
def test_every_format_has_both_kinds_of_example(fmt: Format) -> None:
    """A format has lines that are read and at least one that is rejected, and names its vendor's page."""
    assert {example.reject is None for example in fmt.examples} == {True, False}
    assert fmt.vendor.startswith("https://")


NCSA = ("common", "common_vhost", "combined", "combined_vhost")


@pytest.mark.parametrize(("one", "other"), list(permutations(NCSA, 2)))
def test_no_line_is_of_two_formats(one: str, other: str) -> None:
    """No example that one of these reads is read by another: a virtual host is never a client, nor a client one."""
    for example in FORMATS[one].examples:
        if example.reject is None:
            assert read(FORMATS[other], example).rows == 0, example


@pytest.mark.parametrize("name", [name for name, fmt in FORMATS.items() if fmt.like])
def test_formats_alike(name: str) -> None:
    """The lines of a format that is like another are read by that as well, and the fields agree."""
    for example in FORMATS[name].examples:
        one, other = read(FORMATS[name], example), read(FORMATS[FORMATS[name].like], example)
        assert one.rejected == other.rejected
        assert {k: v.to_pylist() for k, v in one.columns.items()} == {
            k: v.to_pylist() for k, v in other.columns.items()
        }


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (FILE + "titel = 1", "unknown key 'titel'"),
        (FILE.replace("template = ", "# "), "'template' must be a text"),
        (FILE.replace('"template"', '"xml"'), "'dialect' must be one of"),
        (FILE + 'time = "utc"', "'time' must be one of"),
        (FILE + 'optional = [":%p"]', "must stand in the template"),
        (FILE + '[[example]]\nline = "a"', "an example needs"),
        (FILE + "[[", "Format x is wrong"),
    ],
)
def test_mistakes_are_named(text: str, what: str) -> None:
    """A mistake in a format file is a configuration error (78) that says what is wrong and in which file."""
    with pytest.raises(ConfigurationError) as caught:
        parse_format("x", text)
    assert what in str(caught.value)
    assert "x.toml" in str(caught.value)


def test_an_unknown_directive_is_named() -> None:
    """A template with a directive that is not known is refused."""
    with pytest.raises(ConfigurationError, match="%Z"):
        parse_format("x", FILE.replace("%h %t", "%h %Z %t"))
