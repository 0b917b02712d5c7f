"""Globs of logs in which `{site}` stands for a part of the path: which files they name, and of which site each is."""

from __future__ import annotations

import difflib
import glob
import os
import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

from loganon.buckets import is_object
from loganon.sources.identity import stream_name
from loganon.sources.objects import expand_objects
from loganon.sources.removal import ASIDE, name_before

SITE = "{site}"
_PLACEHOLDER = re.compile(r"\{[^{}/]*\}")
_PARTS = re.compile(r"(\{site\}|\*+|\?|\[!?\]?[^\]/]*\])")
_LONGEST = 200  # a file's name has 255 bytes, of which the store's own need some


def check_pattern(text: str) -> None:
    """Nothing if `text` is a glob with `{site}` where it can be told; ValueError with what was expected."""
    _check_placeholders(text)
    parts = [part for part in _PARTS.split(text) if part]
    for one, other in pairwise(parts):
        if SITE in (one, other) and all(part == SITE or part[0] in "*?[" for part in (one, other)):
            raise ValueError(f"{one}{other}: what belongs to {SITE} cannot be told; put a character between them")


def check_template(text: str) -> None:
    """Nothing if `text` is a path in which `{site}` may stand; ValueError with what was expected."""
    _check_placeholders(text)
    if any(character in text for character in "*?["):
        raise ValueError(f"a path without *, ? and [ was expected; {SITE} stands for what the logs have there")


def _check_placeholders(text: str) -> None:
    for name in _PLACEHOLDER.findall(text):
        if name != SITE:
            near = difflib.get_close_matches(name, [SITE], n=1, cutoff=0.5)
            raise ValueError(f"{name} is unknown" + (f"; did you mean {SITE}?" if near else f"; known is {SITE}"))


def log_files(pattern: str, *, aside: bool = False) -> Iterator[tuple[str, str | None]]:
    """The files that a pattern names, in order, each with its site (None where the pattern has no `{site}`).

    A site is as short as the pattern allows. Where it ends the name, rotation and compression do not belong to it.
    `aside`: then those, too, that it named until a removal which was killed put them aside.
    """
    found = [(path, path) for path in files_of(pattern.replace(SITE, "*"))]
    for path, named in found + (_left_aside(pattern) if aside and not is_object(pattern) else []):
        site = site_of(pattern, named)
        if site is not None or SITE not in pattern:
            yield path, stream_name(site) if site and pattern.endswith(SITE) else site


def files_of(pattern: str) -> list[str]:
    """The files, or objects of a bucket, that a glob names, in order."""
    if is_object(pattern):
        return [found for found in expand_objects(pattern) if found != pattern or not _PARTS.search(pattern)]
    return sorted(path for path in glob.glob(pattern) if os.path.isfile(path))  # noqa: PTH207, PTH113 - a whole path; and where the folder may not be entered, none


def _left_aside(pattern: str) -> list[tuple[str, str]]:
    """What lies aside of the files that a pattern names, each with the path that it had."""
    folder = os.path.dirname(pattern.replace(SITE, "*"))  # noqa: PTH120 - a pattern as text, as below
    here = files_of(os.path.join(folder, ASIDE))  # noqa: PTH118 - as above
    before = [(path, path.removesuffix(name := Path(path).name) + name_before(name)) for path in here]
    return [(path, named) for path, named in before if path != named and _regex(pattern).fullmatch(named)]


def site_of(pattern: str, path: str) -> str | None:
    """What stands for `{site}` in a path that the pattern names; None where it does not name it, or has none."""
    found = _regex(pattern).fullmatch(path)
    return found.groupdict().get("site") if found else None


def unreadable_folder(pattern: str) -> str | None:
    """The folder in which a pattern's files would lie, if it is there and cannot be read; else None."""
    folder, rest = _folder_of(pattern)
    return folder if _is_closed(folder, rest[0]) else None


def unreadable_folders(pattern: str) -> list[str]:
    """The folders to which a pattern's wild cards lead, and in which its files could lie, that cannot be read."""
    folder, rest = ("", [""]) if is_object(pattern) else _folder_of(pattern)
    found = []
    for depth in range(1, len(rest)):
        wild = os.path.join(glob.escape(folder), *rest[:depth], "").replace(SITE, "*")  # noqa: PTH118 - with a slash behind: folders only
        found += [each[:-1] for each in sorted(glob.glob(wild)) if _is_closed(each, rest[depth])]  # noqa: PTH207 - as above
    return found


def _folder_of(pattern: str) -> tuple[str, list[str]]:
    """The folder of a pattern that is there before any wild card, and the parts of the path behind it."""
    fixed = min((found.start() for found in _PARTS.finditer(pattern)), default=len(pattern))
    folder, slash, _ = pattern[:fixed].rpartition("/")
    return folder or slash or ".", pattern[len(folder + slash) :].split("/")


def _is_closed(folder: str, part: str) -> bool:
    """Whether this user may not look in the folder for what a part of a pattern names."""
    try:
        if not _PARTS.search(part):
            os.lstat(os.path.join(folder, part))  # noqa: PTH118 - paths are text here, as given
            return False
        for file in Path(folder).iterdir():
            file.lstat()  # a folder may be one to list, and not to enter
            break
    except PermissionError:
        return True
    except OSError:  # it is not there: a site without logs yet
        return False
    return False


def is_site(name: str) -> bool:
    """Whether a name may stand in a store's path: no dot in front, no control characters, not too long."""
    return name.isprintable() and not name.startswith(".") and len(name.encode()) <= _LONGEST


@cache
def _regex(pattern: str) -> re.Pattern[str]:
    text, named = "", False
    for part in _PARTS.split(pattern):
        if part == SITE:
            text += "(?P=site)" if named else "(?P<site>[^/]+?)"
            named = True
        elif part.startswith("*"):
            text += "[^/]*"
        elif part == "?":
            text += "[^/]"
        elif part.startswith("[") and len(part) > 2:
            inner = part[1:-1].replace("\\", "\\\\").replace("[", "\\[")
            text += f"[{'^/' + inner[1:] if inner.startswith('!') else inner}]"
        else:
            text += re.escape(part)
    return re.compile(text, re.DOTALL)
