"""Lines of an error log with what tells of a person masked, and the rest kept. No input or output.

An error log has no fields that could be listed, so this is no closed list: known places (client, request, upstream,
host, referrer, user) are masked whatever stands there, and everywhere else URLs, queries, and each run that identifies
by its form (`treatments.identifiers`) are. A line in which an address or an e-mail is still found after that keeps only
its beginning: time, level, process. A line that does not begin as lines of that log do is not written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import polars as pl
import pyarrow as pa

from loganon import gate, shapes
from loganon.chunks import MAX_LINE_BYTES, Chunk
from loganon.masks import put
from loganon.parse.detect import ERROR_LOGS
from loganon.parse.lines import split_lines
from loganon.render import Written
from loganon.treatments.file import INVALID, make_path
from loganon.treatments.identifiers import replace_identifiers

SERVERS = {name.lower(): name for name in ERROR_LOGS}
_REDACTED = "{redacted}"
_SCHEMA = pa.schema([pa.field("line", pa.string(), nullable=False)])

_PLACES = (
    (r'\bheader line: ".*" while reading', 'header line: "{redacted}" while reading'),
    (r'\bheader line: "(?:[^"]|"[^ ]|" [^w])*$', 'header line: "{redacted}"'),
    (r'\bargs: ".*"(, client: |$)', 'args: "{redacted}"$1'),
    (r'\bargs: "[^"]*$', 'args: "{redacted}"'),
    (r"\bargs=\S*", "args={redacted}"),
    (r"\binput='.*' pattern=", "input='{redacted}' pattern="),
    (r'" (matches|does not match) "[^/].*"(, client: |$)', '" $1 "{redacted}"$2'),
    (r"\(Value: .*' \)", "(Value: `{redacted}' )"),
    (r"\(Value: (?:[^']|'[^ ]|' [^)])*$", "(Value: `{redacted}' )"),
    (r"(?i)\b(invalid method in request) .*$", "$1 {invalid}"),
    (r'\buser ".*"(: password mismatch| was not found in ")', 'user "{user}"$1'),
    (r"\[(client|remote) (?:\[[^\]]*\][^\]\[]*|[^\]\[]*)\]?", "[$1 {ip}]"),
    (r"\bclient: [^,]*", "client: {ip}"),
    (r"(?i)\b(referr?er): .*$", "$1: {url}"),
    (r'\b(upstream|proxy|peer): (?:"[^"]*"?|[^\s,]+)', '$1: "{url}"'),
    (r'(?i)\bhost(name)?(:| is) (?:"[^"]*"?|[^\s,]+)', 'host$1$2 "{host}"'),
    (r'\[(data|unique_id|hostname|ref) "(?:[^"\\]|\\.)*"?', '[$1 "{redacted}"'),
    (r'(?i)\b(user|username|login|mail|from|to|rcpt)(:?) "[^"]*"?', '$1$2 "{user}"'),
    (r"\buser [^\s\"].*?(: | not found|, |$)", "user {user}$1"),
    (r"(?i)\b(authorization|(?:set-)?cookie2?|x-[a-z-]+|forwarded|true-client-ip): .*$", "$1: {redacted}"),
    (r'[A-Za-z][A-Za-z0-9+.-]*://[^\s"<>]*', "{url}"),
    (r'("[^"?]*/[^"?]*)[?][^"]*', "$1"),
    (r'(/[^\s"?]*)[?][^\s"\])]*', "$1"),
)
"""Pattern, what it becomes; for Rust's engine, whose time is linear.

What a visitor wrote may hold any text that ends such a place, and nginx cuts lines at 2,048 bytes: so a place ends
where its end stands last, or with the line.
"""

_REQUEST = (
    r'^(?P<before>.*?\brequest: ")(?P<request>.*?)'
    r'(?P<after>"(?:, (?:subrequest|upstream|host|referrer|bytes [a-z/]+): .*|$)|$)'
)
_METHOD = r"^(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|TRACE|PROPFIND|REPORT|MKCOL|COPY|MOVE|LOCK|UNLOCK) "
_PROTOCOL = r"( HTTP/[0-9](?:\.[0-9])?)$"
_RUNS = r"""[^\s"'<>()\[\]{},;=|]+|[\s"'<>()\[\]{},;=|]+"""
_PATHS = r"""\"/[^"]*|: /[^",]*|[^":]+|[":]"""
_PATH = '^(?:"|: )/'
_BROKEN = r"""(?:\"/[^"]*|: /[^",]*)[\s'<>()\[\]{},;=|]"""
_TELLING = rf"[^0-9A-Za-z]|[0-9A-Za-z]{{20}}|^0[xX]|{shapes.SUSPECT_ENCODED}"
_DIGITS = r"^[0-9]*$"
_CONTROLS = [chr(number) for number in (*range(0x20), 0x7F)]
_SHOWN = [f"\\x{number:02x}" for number in (*range(0x20), 0x7F)]


class ErrorLog:
    """`mask(chunk)` -> Written, for the error log of one server ("apache", "nginx")."""

    def __init__(self, server: str) -> None:
        self._begin = f"^(?:{ERROR_LOGS[SERVERS[server]].pattern.decode()})"
        self._path = make_path(raw="request")

    def __call__(self, chunk: Chunk) -> Written:
        """The chunk's lines, masked; never raises on data."""
        rejected: Counter[str] = Counter()
        each = split_lines(chunk.data)
        lines = self._accepted(each, rejected)
        if lines.is_empty():
            return Written(b"", len(each), 0, rejected, 0)
        masked = self._by_place(lines)
        broken = masked.str.contains(_BROKEN)
        masked = put(masked, broken, _by_piece(masked.filter(broken), _PATHS, _PATH))
        masked = _by_piece(masked, _RUNS, _TELLING)
        personal = shapes.personal(masked)
        begun = masked.filter(personal).str.extract(f"({self._begin})", 1).fill_null("")
        masked = put(masked, personal, begun + _REDACTED)
        table, left = gate.check(pa.table([masked.to_arrow().cast(pa.string())], ["line"]), _SCHEMA)
        text = "\n".join([*table["line"].to_pylist(), ""]).encode()
        return Written(text, len(each), len(lines), rejected, int(personal.sum()) + left)

    def _accepted(self, each: Sequence[bytes], rejected: Counter[str]) -> pl.Series:
        """The lines of the log, as text without control characters."""
        texts = []
        for line in each:
            if len(line) > MAX_LINE_BYTES:
                rejected["too_long"] += 1
            elif b"\0" in line:
                rejected["binary"] += 1
            else:
                try:
                    texts.append(line.decode())
                except UnicodeDecodeError:
                    rejected["malformed"] += 1
        lines = pl.Series("line", texts, dtype=pl.String)
        good = lines.str.contains(self._begin)
        rejected["malformed"] += int((~good).sum())
        lines = lines.filter(good)
        odd = lines.str.contains(r"[\x00-\x1f\x7f]")
        return put(lines, odd, lines.filter(odd).str.replace_many(_CONTROLS, _SHOWN))

    def _by_place(self, lines: pl.Series) -> pl.Series:
        found = lines.str.contains(r'\brequest: "')
        lines = put(lines, found, self._requests(lines.filter(found)))
        for pattern, becomes in _PLACES:
            lines = lines.str.replace_all(pattern, becomes)
        return lines

    def _requests(self, lines: pl.Series) -> pl.Series:
        """The lines with the request that each holds as a method, a treated file and a protocol."""
        parts = lines.str.extract_groups(_REQUEST).struct.unnest()
        request = parts["request"]
        (files,) = self._path(request)
        method = request.str.extract(_METHOD, 1)
        protocol = request.str.extract(_PROTOCOL, 1)
        whole = (files != INVALID) & method.is_not_null()
        treated = (method + " " + files + protocol.fill_null("")).fill_null(INVALID)
        shown = treated.zip_with(whole, pl.Series([INVALID]).new_from_index(0, len(lines)))
        return parts["before"] + shown + parts["after"]


def _by_piece(lines: pl.Series, pieces: str, telling: str) -> pl.Series:
    """The lines with what identifies masked in each of their pieces that is `telling`: the runs between blanks, quotes
    and brackets; and before that paths as a whole, which the servers write decoded, with the blanks of their numbers.
    """
    runs = pl.DataFrame({"line": range(len(lines)), "run": lines.str.extract_all(pieces)}).explode("run")
    each = runs["run"].drop_nulls().unique()
    each = each.filter(each.str.contains(telling) & ~each.str.contains(_DIGITS))
    long = each.str.len_chars() > shapes.LONGEST_EXACT
    masked = replace_identifiers(each.zip_with(~long, pl.Series([None], dtype=pl.String).new_from_index(0, len(each))))
    masked = masked.fill_null(_REDACTED)
    changed = each != masked
    if not changed.any():
        return lines
    pairs = pl.DataFrame({"run": each.filter(changed), "masked": masked.filter(changed)})
    touched = runs.join(pairs, on="run", how="left", maintain_order="left")
    whole = touched.with_columns(pl.coalesce("masked", "run").alias("run"))
    return whole.group_by("line", maintain_order=True).agg(pl.col("run").str.join(""))["run"]
