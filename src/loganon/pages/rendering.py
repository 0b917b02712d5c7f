"""HTML out of a template of this package and values; jinja2, which the extra `report` brings, is imported on use."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from loganon.errors import ConfigurationError
from loganon.pages.amounts import count, plural, share, size
from loganon.pages.text import shown

if TYPE_CHECKING:
    from jinja2 import Environment


def render(template: str, values: Mapping[str, object], *, version: str) -> str:
    """The page that `templates/NAME` makes of the values; 78 where the extra is not installed.

    `version`: loganon's, which the page names at its end.

    A value that the template names and that is not given is an error (StrictUndefined). Every text that it prints is
    escaped for HTML, and made visible by `shown`; only `markupsafe.Markup` stands as it is.
    """
    return _environment().get_template(template).render(**values, version=version)


@cache
def _environment() -> Environment:
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - an optional extra
    except ImportError:
        raise ConfigurationError(
            "HTML pages need the extra `report`", where="jinja2", fix="pip install 'loganon-access[report]'"
        ) from None
    environment = Environment(
        loader=PackageLoader("loganon.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"count": count, "size": size, "plural": plural, "shown": shown}
    environment.globals |= {"share": share}
    return environment


def _visible(value: Any) -> Any:
    """What is printed of a value: of a plain text nothing invisible; None is no text, which the template must say."""
    if value is None:
        raise TypeError("a template prints None")
    return shown(value) if type(value) is str else value
