"""The evidence that a store keeps its policy, for a data-protection officer: one file, as HTML, Markdown or JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeAlias

from loganon.errors import LoganonError
from loganon.evidence.document import kind_of, part_of, spans
from loganon.evidence.gathering import gather
from loganon.evidence.markdown import markdown
from loganon.evidence.values import VERSION, Evidence, Unread
from loganon.pages import render
from loganon.status import load_status
from loganon.store import Place, open_standing
from loganon.verify import Verification

__all__ = ["FORMS", "Evidence", "Unread", "gather", "load_evidence", "write"]

TITLE = "Evidence of data protection"
Stores: TypeAlias = Sequence[Evidence | Unread]


def load_evidence(place: Place, found: Verification) -> Evidence | Unread:
    """The evidence about the store at `place`, of which `found` was found; or why there is none any more."""
    try:
        return gather(found, load_status(place, now=found.now), open_standing(place).deletions())
    except LoganonError as error:
        return Unread(found.store, str(error))


def write(form: str, stores: Stores, now: datetime, *, version: str) -> str:
    """The file's text in one of `FORMS`; a part for each store. `version`: loganon's."""
    return FORMS[form](stores, now, version)


def _html(stores: Stores, now: datetime, version: str) -> str:
    parts = [part_of(each) for each in stores]
    clock = f"{now.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    helpers = {"spans": spans, "form_of": lambda block: type(block).__name__, "kind_of": kind_of}
    return render("evidence.html", {"title": TITLE, "parts": parts, "now": clock, **helpers}, version=version)


def _markdown(stores: Stores, now: datetime, version: str) -> str:
    return markdown(TITLE, [part_of(each) for each in stores], now, version)


def _json(stores: Stores, now: datetime, version: str) -> str:
    told = {
        "evidence": VERSION,
        "loganon": version,
        "now": now.astimezone(UTC).isoformat(),
        "stores": [each.as_dict() for each in stores],
    }
    return json.dumps(told, indent=1, ensure_ascii=True) + "\n"


FORMS: Mapping[str, Callable[[Stores, datetime, str], str]] = {".html": _html, ".md": _markdown, ".json": _json}
"""By the ending of the file's name: how it is written."""
