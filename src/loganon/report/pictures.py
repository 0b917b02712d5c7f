"""Bars as SVG that stands within a page: colours are the page's, no script, no id, no style of its own.

pygal, which the extra `report` brings, draws them; no text of a store goes through it. What it adds for its own script
is taken out, and every bar gets a title of ours, which browsers show where the mouse rests.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

from loganon.errors import ConfigurationError

_SVG = "http://www.w3.org/2000/svg"
_DROPPED = frozenset(("script", "style", "defs", "desc", "title"))
_KEPT = frozenset(("class", "d", "height", "transform", "width", "x", "y"))
_LONG = re.compile(r"[0-9]+\.[0-9]+")
_FONT = 13


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: what stands below it (empty: nothing), what is told of it, its parts from below."""

    label: str
    told: str
    parts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Box:
    """A picture's size in its own units, and the most labels that fit below it."""

    width: int
    height: int
    labels: int


WIDE, NARROW = Box(1000, 250, 12), Box(420, 220, 7)


def draw_bars(bars: Sequence[Bar], box: Box, *, alternative: str, amount: Callable[[int], str]) -> str:
    """An SVG element of stacked bars; `alternative` is what it says to who does not see it, `amount` writes the axis.

    78 where the extra is not installed.
    """
    chart = _pygal("pygal").StackedBar(
        style=_pygal("pygal.style").Style(label_font_size=_FONT, major_label_font_size=_FONT),
        width=box.width,
        height=box.height,
        margin=2,
        margin_top=10,
        spacing=8,
        css=(),
        js=(),
        show_legend=False,
        show_minor_x_labels=False,
        truncate_label=-1,
        min_scale=3,
        max_scale=5,
        order_min=0,
        disable_xml_declaration=True,
        no_data_text="",
        value_formatter=lambda value: amount(round(value)),
    )
    keys = {f"bar-{index}": bar for index, bar in enumerate(bars)}
    chart.x_labels = list(keys)
    chart.x_labels_major = [key for key, bar in keys.items() if bar.label]
    for part in range(max((len(bar.parts) for bar in bars), default=0)):
        chart.add("", [bar.parts[part] for bar in bars])
    root = ET.fromstring(chart.render(is_unicode=True))  # noqa: S314 - only what pygal has just written is read
    _clean(root, keys)
    root.tag = "svg"
    root.attrib = {"viewBox": root.attrib["viewBox"], "role": "img", "aria-label": alternative}
    return ET.tostring(root, "unicode")


def sparse(labels: Sequence[str], most: int, steps: Sequence[int] = (1,), first: int = 0) -> list[str]:
    """The labels with only every so many left, that at `first` among them, so that no more than about `most` are.

    Every so many is one of the `steps`, or a multiple of the last.
    """
    least = max(1, -(-len(labels) // most))
    step = next((each for each in steps if each >= least), -(-least // steps[-1]) * steps[-1])
    return [label if index % step == first % step else "" for index, label in enumerate(labels)]


def _clean(node: ET.Element, keys: Mapping[str, Bar]) -> None:
    """The node without what is not wanted below it; the keys of labels and bars are what they stand for."""
    for child in list(node):
        name = child.tag = child.tag.removeprefix(f"{{{_SVG}}}")
        kind = child.get("class", "")
        if name == "text":
            text = child.text or ""
            child.text = keys[text].label if text in keys else text
        keyed = [each.text or "" for each in child if each.get("class") == "x_label"]
        told = [keys[key].told for key in keyed if key in keys]
        if name in _DROPPED or "overlay" in kind or (name == "rect" and kind == "background"):
            node.remove(child)
            continue
        child.attrib = {name: _LONG.sub(_short, text) for name, text in child.attrib.items() if name in _KEPT and text}
        _clean(child, keys)
        if told:
            ET.SubElement(child, "title").text = told[0]


def _short(number: re.Match[str]) -> str:
    return f"{float(number[0]):.1f}".removesuffix(".0")


def _pygal(module: str) -> Any:
    try:
        found = importlib.import_module(module)
    except ImportError:
        raise ConfigurationError(
            "pictures need the extra `report`", where="pygal", fix="pip install 'loganon-access[report]'"
        ) from None
    for each in [each for each in sys.meta_path if type(each).__module__ == "pygal"]:
        sys.meta_path.remove(each)  # for plugins with maps; Python 3.11 warns of it at every import that follows
    return found
