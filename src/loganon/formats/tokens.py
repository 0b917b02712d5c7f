"""A template as tokens: literals, and directives with what each of them gives. Apache's `%…` and nginx's `$…`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from loganon.errors import ConfigurationError
from loganon.formats.apache import apache_directives
from loganon.formats.columns import LISTS
from loganon.formats.directive import LIST, Token
from loganon.formats.nginx import nginx_variables

_VARIABLE = re.compile(r"\$[{a-z]")
_DIRECTIVE = re.compile(r"%[!<>,0-9]*(?:\{[^}]*\})?\^?[a-zA-Z]")
_FRACTIONS = ("%3f", "%6f")


def syntax_of(template: str) -> str:
    """Whose directives a template has: "nginx" where it has variables and nothing of Apache's, else "apache"."""
    return "nginx" if _VARIABLE.search(template) and not _DIRECTIVE.search(template) else "apache"


def tokens_of(template: str, syntax: str) -> list[Token]:
    """The tokens in order: quotes and square brackets around a directive belong to it, and of several directives that
    give the same column only the best has it. ConfigurationError where two directives touch.
    """
    found = apache_directives(template) if syntax == "apache" else nginx_variables(template)
    return _ranked(_enclosed(_joined_queries(_joined_times(found))))


def check_tokens(tokens: Sequence[Token]) -> None:
    """ConfigurationError (78) where a line could be cut in several ways: it names the two directives that touch."""
    for before, after in pairwise(tokens):
        closed = before.closed or after.closed or (after.directive and after.directive.kind == "rest")
        if before.directive and after.directive and not closed:
            raise _touching(before, after)
    for before, literal, after in zip(tokens, tokens[1:], tokens[2:], strict=False):
        free = before.directive is not None and before.directive.kind in ("request", "agent")
        if free and not before.quoted and literal.text.startswith(" ") and after.directive:
            raise _touching(before, after)


def time_form(tokens: Sequence[Token]) -> str | None:
    """The written form of the time that is read; None where there is none."""
    return next((t.directive.form for t in tokens if t.directive and t.directive.column == "time"), None)


def _touching(before: Token, after: Token) -> ConfigurationError:
    return ConfigurationError(
        f"the directives {before.text} and {after.text} touch: where the one ends cannot be told",
        fix="Put quotes around the first in the server's configuration",
    )


def _joined_times(tokens: Sequence[Token]) -> list[Token]:
    """Apache writes one time by several directives (`%{%d/%b/%Y %T}t.%{msec_frac}t %{%z}t`): here they are one."""
    found: list[Token] = []
    for token in tokens:
        joined = _join(found, token)
        if joined is not None:
            found = joined
        else:
            found.append(token)
    return found


def _joined_queries(tokens: Sequence[Token]) -> list[Token]:
    """A path and the query behind it (`%U%q`) are one target, as in a request line: a query begins with `?`, or is
    empty. nginx's `$uri$is_args$args` is none: without a query it writes `-` for the last.
    """
    found: list[Token] = []
    for token in tokens:
        path, query = (each.directive for each in (found[-1] if found else token, token))
        if path is not None and query is not None and path.column == "path" and query.kind == "query":
            found[-1] = replace(found[-1], text=found[-1].text + token.text)
        else:
            found.append(token)
    return found


def _join(found: list[Token], token: Token) -> list[Token] | None:
    """`found` with `token` joined to the time that it goes on, or None where it is no part of a time."""
    if not _part(token):
        return None
    if found and _part(found[-1]):
        at, between = -1, ""
    elif len(found) > 1 and not found[-1].directive and len(found[-1].text) <= 3 and _part(found[-2]):
        at, between = -2, found[-1].text
    else:
        return None
    first, second = found[at].directive, token.directive
    assert first is not None  # noqa: S101 - `_part` says so
    assert second is not None  # noqa: S101 - `_part` says so
    form = _pattern(first.form) + between.replace("%", "%%") + _pattern(second.form)
    text = found[at].text + between + token.text
    return [*found[:at], Token(text, replace(first, form=_named(form)))]


def _part(token: Token) -> bool:
    """Part of a time, without brackets of its own."""
    directive = token.directive
    return directive is not None and directive.kind == "time" and not token.enclosed and "%" in _pattern(directive.form)


def _pattern(form: str) -> str:
    return {"epoch_s": "%s"}.get(form, form)


def _named(form: str) -> str:
    return "epoch_ms" if form == "%s%3f" else "epoch_us" if form == "%s%6f" else form


def _enclosed(tokens: Sequence[Token]) -> list[Token]:
    """The tokens with the quotes around a directive, and the brackets around a time, moved into it."""
    found = list(tokens)
    for index in range(1, len(found) - 1):
        before, token, after = found[index - 1 : index + 2]
        if not token.directive or token.enclosed or before.directive or after.directive:
            continue
        pair = before.text[-1:] + after.text[:1]
        if pair == '""' or (pair == "[]" and token.directive.kind == "time"):
            found[index - 1] = replace(before, text=before.text[:-1])
            found[index] = replace(token, enclosed=pair)
            found[index + 1] = replace(after, text=after.text[1:])
    return [token for token in found if token.text]


def _ranked(tokens: Sequence[Token]) -> list[Token]:
    """Of the directives that give one column, only the first of the best rank gives it.

    A proxy's lists that are not the client itself are columns of their own, from which the client may be told.
    """
    best: dict[str, tuple[int, int]] = {}
    for index, token in enumerate(tokens):
        directive = token.directive
        if directive and directive.column:
            if directive.kind == "time" and directive.form in _FRACTIONS:
                continue
            best[directive.column] = min(best.get(directive.column, (99, 0)), (directive.rank, index))
    kept = {index for _, index in best.values()}
    lists = (i for i, t in enumerate(tokens) if t.directive and t.directive.rank == LIST and i not in kept)
    forwarded = dict(zip(lists, LISTS, strict=False))
    return [t if index in kept else t.with_column(forwarded.get(index)) for index, t in enumerate(tokens)]
