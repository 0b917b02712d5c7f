"""The format that an operator gives: by name, as the server's own string, in a file, or out of its configuration."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

from loganon.errors import ConfigurationError, MissingInputError
from loganon.formats import Format, named_format, parse_format
from loganon.formats.configuration import LogFormat, from_configuration, parse_apache, parse_nginx
from loganon.formats.tokens import check_tokens, time_form, tokens_of

_PAGES = {
    "apache": "https://httpd.apache.org/docs/2.4/mod/mod_log_config.html#formats",
    "nginx": "https://nginx.org/en/docs/http/ngx_http_log_module.html#log_format",
}


def resolve(
    name: str = "auto",
    *,
    file: str | Path | None = None,
    source: str | None = None,
    day: date | None = None,
) -> Format | None:
    """The format that is given, None where it is to be detected.

    `name`: "auto", a name, `apache:` or `nginx:` with the server's own string. `file`: a format's TOML file. `source`:
    a server's configuration, `FILE` or `FILE:NAME`. `day`: a day of the log, for times without a year.
    ConfigurationError (78) where more than one is given, or what is given is wrong.
    """
    given = [
        option
        for option, value in (("--format", name != "auto"), ("--format-file", file), ("--format-from", source))
        if value
    ]
    if len(given) > 1:
        raise ConfigurationError(f"{' and '.join(given)} both name a format", where="", fix="Give one of them")
    try:
        fmt = _given(name, file, source)
    except ConfigurationError as error:
        raise ConfigurationError(error.what, where=error.where or given[0], fix=error.fix) from None
    if day is not None and fmt is None:
        raise ConfigurationError("--date needs a format whose times have no year", fix="Name it with --format")
    return fmt if fmt is None or day is None else replace(fmt, day=day)


def _given(name: str, file: str | Path | None, source: str | None) -> Format | None:
    if file:
        path = Path(file)
        try:
            return parse_format(path.stem, _text(path))
        except ConfigurationError as error:  # what is known of it there is its name
            raise ConfigurationError(error.what, where=str(path), fix=error.fix) from None
    if source:
        return _of(from_configuration(source))
    server, colon, text = name.partition(":")
    if colon and server == "apache":
        return _of(parse_apache(text))
    if colon and server == "nginx":
        return _of(parse_nginx(text))
    return named_format(name)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        raise MissingInputError("the format file is missing", where=str(path), fix="Name another") from None
    except (OSError, UnicodeDecodeError):
        raise ConfigurationError("the format file cannot be read", where=str(path), fix="Name another") from None


def _of(found: LogFormat) -> Format:
    """The format that a server's string describes; lines are cut as its directives say."""
    tokens = tokens_of(found.template, found.server)
    check_tokens(tokens)
    if not any(token.directive for token in tokens):
        raise ConfigurationError(
            "the log format has no directive",
            fix=f"Give the whole string, in single quotes, or a name of `loganon formats` without {found.server}:",
        )
    form = time_form(tokens)
    if form is None:
        raise ConfigurationError("the log format has no time", fix="Add one to the server's configuration")
    return Format(
        name=f"{found.server}:{found.name}" if found.name else found.server,
        title=f"a log format of this {found.server}",
        vendor=_PAGES[found.server],
        dialect="template",
        template=found.template,
        escape=found.escape,
        time=form,
        syntax=found.server,
    )
