"""The path of a request without its query, and with what identifies a person replaced by the name of what it is.

Columns are worked on with Rust expressions; only the distinct paths that hold something suspect, at most `max_length`
characters long, are looked at one by one. Decisions where the rules leave room:

- `*` (of `OPTIONS *`) and an authority (`host:443`) are no paths: `{invalid}`. A relative path (`page.html`) is none in
  a request line either, but is kept in a path column: CloudFront logs have such.
- A raw control or format character gives `{invalid}`, and so does a percent-encoded CR or LF (a second line smuggled
  in); other percent-encoded ones are kept as sent.
- A path over the length keeps its whole segments, without the slash after the last.
- Of routes the first that matches is stored, as it is written in the policy (`/user/:id`): `*` stands for any rest,
  `:name` for one segment, and a slash at the end makes no difference.
"""

from __future__ import annotations

import re

import polars as pl

from loganon import shapes
from loganon.errors import ConfigurationError
from loganon.masks import put, sure
from loganon.treatments import Treatment
from loganon.treatments.held import Held
from loganon.treatments.identifiers import replace_identifiers

INVALID = "{invalid}"
OTHER = "other"

_METHOD = "^[A-Za-z][A-Za-z0-9_-]{0,31} +"
_PLAIN_REQUEST = (  # of which the path needs no more than to be cut out
    r"^(?:GET|POST|HEAD|PUT|PATCH|DELETE|OPTIONS) (/[0-9A-Za-z/._-]*)(?:\?| HTTP/[0-9.]{1,8}$)"
)
_CONNECT = "^(?i:connect) "
_CONTROL = r"[\p{Cc}\p{Cf}\p{Co}\p{Zl}\p{Zp}]"
_NEW_LINE = "%(?:25)*0[aAdD]"
_QUERY = r"(?s)(?:[?#;]|%(?:25)*(?:3[fFbB]|23)).*$"
_AUTHORITY = r"^[A-Za-z][A-Za-z0-9+.-]{0,31}://[^/\\]*"
_RELATIVE = r"^[0-9A-Za-z._~{-][^:@\\]*$"


def make_path(*, raw: str = "path", routes: tuple[str, ...] = (), max_length: int = 1024) -> Treatment:
    """A treatment that gives the path (String).

    `raw`: what comes in: `request` lines (`GET /a HTTP/1.1`), or paths or URLs (`path`, `url`). With `routes` only
    these are stored; any other valid path is `other`. A route that no path can match is a ConfigurationError.
    """
    patterns = tuple((route, _route_pattern(route)) for route in routes)

    def answer(paths: pl.Series) -> pl.Series:
        if patterns:
            return _routed(paths, patterns).fill_null(INVALID)
        return _short(replace_identifiers(_short(paths, max_length)), max_length).fill_null(INVALID)

    return Held("file", lambda values: request_paths(values, raw=raw), answer, none=INVALID)


def routes_overlap(first: str, second: str) -> bool:
    """True unless it is certain that no path matches both routes."""
    one, other = (route.rstrip("/").split("/") for route in (first, second))
    for a, b in zip(one, other, strict=False):
        if "*" in a or "*" in b:
            return True
        if a != b and not a.startswith(":") and not b.startswith(":"):
            return False
    rest = one[len(other) :] or other[len(one) :]
    return rest in ([], ["*"])  # `/a/` is of `/a` and of `/a/*`


def request_paths(values: pl.Series, *, raw: str) -> pl.Series:
    """The paths as sent, without query, nothing replaced: not to be stored; null for none. `raw` as above."""
    text = values.cast(pl.String)
    if raw != "request":
        return _paths(_without_query(text), relative=True)
    paths = text.str.extract(_PLAIN_REQUEST, 1)
    if not paths.null_count():
        return paths
    rest = paths.is_null()
    return put(paths, rest, _paths(_without_query(_request_targets(text.filter(rest))), relative=False))


# --- from the raw value to a path -----------------------------------------------------------------------------------


def _request_targets(requests: pl.Series) -> pl.Series:
    """What stands between the method and the last ` HTTP/`; null where there is no method, or it is CONNECT."""
    valid = requests.str.contains(_METHOD) & ~requests.str.contains(_CONNECT)
    return _only(requests, valid).str.replace(_METHOD, "").str.replace(r" HTTP/[^ ]*$", "")


def _without_query(targets: pl.Series) -> pl.Series:
    """The targets without what follows the first `?`, `#` or `;`, however often it is percent-encoded."""
    mask = sure(targets.str.contains(r"[?#;%\\]"))
    if not mask.any():
        return targets
    cut = targets.filter(mask).str.replace(_QUERY, "")
    hidden = sure(cut.str.contains(r"[%\\]") & shapes.decode_series(cut).str.contains("[?#;]"))
    exact = pl.Series([_cut_exactly(text) for text in cut.filter(hidden)], dtype=pl.String)
    return put(targets, mask, put(cut, hidden, exact))


def _cut_exactly(target: str) -> str | None:
    if len(target) > shapes.LONGEST_EXACT:
        return None
    decoded = shapes.decode(target)
    end = min(at for at in map(decoded.text.find, "?#;") if at >= 0)
    return target[: decoded.starts[end]]


def _paths(targets: pl.Series, *, relative: bool) -> pl.Series:
    """The paths of targets in origin or absolute form; null for anything else."""
    targets = _only(targets, ~(targets.str.contains(_CONTROL) | targets.str.contains(_NEW_LINE)))
    odd = sure(~targets.str.starts_with("/"))
    if not odd.any():
        return targets
    rest = targets.filter(odd)
    absolute = rest.str.contains(_AUTHORITY)
    path = rest.str.replace(_AUTHORITY, "").str.replace("^$", "/")
    valid = absolute & path.str.starts_with("/")
    if relative:
        valid |= rest.str.contains(_RELATIVE) & ~rest.str.contains("%") & (rest != "-")
    return put(targets, odd, _only(path, valid))


def _short(paths: pl.Series, longest: int) -> pl.Series:
    """The paths, those over the length cut at a border of segments."""
    if not (paths.str.len_bytes() > longest).any():  # no text has more characters than bytes
        return paths
    mask = sure(paths.str.len_chars() > longest)
    if not mask.any():
        return paths
    cut = paths.filter(mask).str.slice(0, longest + 1).str.replace("[^/]*$", "").str.replace("(.)/$", "$1")
    return put(paths, mask, cut.str.replace("^$", INVALID))


def _only(values: pl.Series, valid: pl.Series) -> pl.Series:
    invalid = (~valid).fill_null(value=True).arg_true()
    return values if invalid.is_empty() else values.clone().scatter(invalid, None)


# --- routes ---------------------------------------------------------------------------------------------------------


def _route_pattern(route: str) -> str:
    if not route.startswith("/") or re.search(r"[?#;\s]|\*.", route):
        raise ConfigurationError(
            "A route matches no path",
            where=f"routes: {route!r}",
            fix="Begin it with `/`, leave out the query, and let `*` stand only at its end",
        )
    parts = (
        re.escape(part) if index % 2 == 0 else "[^/]+" for index, part in enumerate(re.split(r"(?<=/)(:\w+)", route))
    )
    pattern = "".join(parts).replace(r"\*", ".*").rstrip("/")
    return f"^{pattern}/?$"


def _routed(paths: pl.Series, patterns: tuple[tuple[str, str], ...]) -> pl.Series:
    stored = paths.clone().set(paths.is_not_null(), OTHER)
    for route, pattern in reversed(patterns):
        stored = stored.set(sure(paths.str.contains(pattern)), route)
    return stored
