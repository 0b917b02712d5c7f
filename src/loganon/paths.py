"""Paths as callers and operators give them."""

from __future__ import annotations

import os
from pathlib import Path

from loganon.errors import ConfigurationError


def require_path(path: str | Path, what: str) -> None:
    """Nothing if a file can have the path; ConfigurationError (78) for one with NUL, or with what is in no name."""
    try:
        possible = b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:  # half of a character
        possible = False
    if not possible:
        fix = "A path has no NUL, and no half characters: see what it was made of"
        raise ConfigurationError(f"no file can have the path of {what}", where=str(path), fix=fix)


def is_there(path: Path) -> bool:
    """Whether something has that name; True where this user may not know: whoever opens it says so."""
    try:
        return path.exists()
    except OSError:
        return True
