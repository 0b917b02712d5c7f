"""What syslog puts around a message: `SYSLOG` matches it at the beginning of a line, RFC 3164 and RFC 5424.

`@cee:` behind it says that the message is JSON (rsyslog).
"""

from __future__ import annotations

import re

_PRI = rb"(?:<[0-9]{1,3}>)"
ISO = rb"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:?[0-9]{2})"
_BSD = (
    rb"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ 0-9][0-9](?: [0-9]{4})? "
    rb"[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?"
)
_TAG = rb"(?![0-9a-fA-F.]*:[0-9a-fA-F:.]+[ ,])[^\s\[\]:\"]{1,128}(?:\[[^\]\s]{0,32}\])?: ?"
"""A tag is no address: of a client that stands behind a time, the first part would go with it."""
_RFC3164 = (
    _PRI + rb"?(?:" + _BSD + rb"|" + ISO + rb") (?!(?:stdout|stderr) [FP])(?:(?:[^\s:\"]+|[0-9a-fA-F:.]+) )?" + _TAG
)
_SD = rb"(?:-|(?>(?:\[(?>(?:[^\]\"\\]|\"(?>(?:[^\"\\]|\\.)*)\"|\\.)*)\])+))"
_RFC5424 = (
    _PRI + rb"?1 (?:" + ISO + rb"|-) [!-~]{1,255} [!-~]{1,48} [!-~]{1,128} [!-~]{1,32} " + _SD + b" (?:\xef\xbb\xbf)?"
)
SYSLOG = re.compile(rb"^(?:" + _RFC5424 + rb"|" + _RFC3164 + rb")(?:@cee: ?)?", re.MULTILINE)
PRIORITY = re.compile(rb"^<[0-9]{1,3}>", re.MULTILINE)
"""The priority alone, as sd-daemon(3) takes it and HAProxy's `format short` writes it."""


def message_of(datagram: bytes) -> bytes:
    """The message within one syslog datagram; where nothing is recognised, the datagram without its priority."""
    found = SYSLOG.match(datagram) or PRIORITY.match(datagram)
    return datagram[found.end() :] if found else datagram
