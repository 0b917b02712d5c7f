"""The private files of a store: no key but loganon's own, no text that is shaped like an address or an e-mail."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from loganon.store import PolicyStamp, Record
from loganon.store.deletions import BEGUN, DONE
from loganon.store.documents import parse_json
from loganon.store.layout import PRIVATE_NAME, SOURCES, STATE_FILE, STORE_FILE, TABLE, TABLE_ID, record_file
from loganon.store.manifest import Manifest, State, encode_manifest, encode_state
from loganon.store.records import encode_record
from loganon.store.tree import FILE
from loganon.verify.findings import Findings, count_of, count_personal
from loganon.verify.footers import texts_of
from loganon.verify.view import View

_DELETIONS, _QUARANTINE = f"{PRIVATE_NAME}/deletions.jsonl", f"{PRIVATE_NAME}/quarantine.jsonl"
_COMMIT, _TABLE_FILE = f"{PRIVATE_NAME}/commit.json", f"{TABLE}/{TABLE_ID}"
_LOCK, _RESERVE = f"{PRIVATE_NAME}/lock", f"{PRIVATE_NAME}/reserve"


def _keys(text: bytes | str) -> frozenset[str]:
    """The keys of an object, with those of the objects right in it as `outer.inner`; none of what is no object."""
    try:
        document = parse_json(text)
    except ValueError:
        return frozenset()
    if not isinstance(document, dict):
        return frozenset()
    inner = (f"{name}.{key}" for name, value in document.items() if isinstance(value, dict) for key in value)
    return frozenset((*document, *inner))


_EXAMPLES = {
    SOURCES: encode_record(Record("", "")),
    STATE_FILE: encode_state(State()),
    STORE_FILE: encode_manifest(Manifest("", datetime(1970, 1, 1, tzinfo=UTC), PolicyStamp("", "", ""), "", None)),
}
_KNOWN = {path: _keys(example) for path, example in _EXAMPLES.items()} | {
    _DELETIONS: frozenset(("version", "partition", "files", "rows", "bytes", "rule", "policy_sha256", "state", "time")),
    _QUARANTINE: frozenset(("version", "partition", "cell", "file", "size", "reason", "time")),
    _TABLE_FILE: frozenset(("version", "id")),
}
_TEXTS: Mapping[str, re.Pattern[str]] = {
    "partition": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"),
    "state": re.compile(f"{BEGUN}|{DONE}"),
    "policy_sha256": re.compile(r"[0-9a-f]{64}"),
    "time": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{5,15}\+00:00"),
    "rule": re.compile(r"[ -~]{0,120}"),
}
_NUMBERS = ("files", "rows", "bytes")
"""The members of an entry of the deletion record, and their forms."""
_NO_TEXT = 0x80
"""The least byte that is no character of ASCII."""
_OPEN = ("lines.", "owed.")
"""Objects with a key for each outcome or source, which other checks look at."""


def check_documents(view: View, findings: Findings, records: Iterable[str]) -> None:
    """Every private file. Labels of streams, and the policy's text, are the operator's."""
    present = {entry.path for entry in view.entries if entry.kind == FILE} | view.staged.keys()
    paths = {f"{SOURCES}/{record_file(source)}": SOURCES for source in records}
    documents = (STATE_FILE, STORE_FILE, _DELETIONS, _QUARANTINE, _COMMIT, _TABLE_FILE)
    paths |= {path: path for path in documents if path in present}
    for path, kind in paths.items():
        try:
            lines = view.read(path).decode("utf-8", "replace").splitlines()
        except OSError as error:
            findings.add("keys", path, f"a file cannot be read ({error.strerror})")
            continue
        texts = [text for line in lines for text in texts_of(line) if text != view.store.policy.text]
        hits = count_personal(texts)
        findings.counts["texts"] += len(texts)
        if hits:
            findings.add("address", path, f"{count_of(hits, 'text')} shaped like an address or an e-mail")
        strange = _strange(lines, kind)
        if strange:
            findings.add("keys", path, f"{count_of(strange, 'key')} that loganon does not write")
        odd = sum(map(_is_odd, lines)) if path == _DELETIONS else 0
        if odd:
            findings.add("keys", path, f"{count_of(odd, 'line')} of another form than loganon writes")
    for path in filter(present.__contains__, (_LOCK, _RESERVE)):
        _check_bare(view, findings, path)


def _check_bare(view: View, findings: Findings, path: str) -> None:
    """The lock is empty, and the reserve holds no character of ASCII."""
    try:
        data = view.read(path)
    except OSError as error:
        findings.add("keys", path, f"a file cannot be read ({error.strerror})")
        return
    if data and (path == _LOCK or min(data) < _NO_TEXT):
        findings.add("keys", path, "bytes that loganon does not write")


def check_labels(findings: Findings, records: Mapping[str, Record]) -> None:
    """A note where the label of a log is shaped like an address or an e-mail."""
    labels = count_personal([record.stream for record in records.values()])
    if labels:
        findings.note("address", f"{count_of(labels, 'label')} of logs, which the operator gave, are shaped like one")


def _strange(lines: Iterable[str], kind: str) -> int:
    """How many keys are none of this kind's; of a journal, which is read elsewhere, none is said to be."""
    known = _KNOWN.get(kind)
    if known is None:
        return 0
    return sum(key not in known and not key.startswith(_OPEN) for line in lines for key in _keys(line))


def _is_odd(line: str) -> bool:
    """True for an object that is no entry of the deletion record; a line that a crash cut short is none."""
    try:
        entry = parse_json(line)
    except ValueError:
        return False
    texts = isinstance(entry, dict) and all(
        isinstance(entry.get(name), str) and form.fullmatch(entry[name]) for name, form in _TEXTS.items()
    )
    return not texts or any(type(entry.get(name)) is not int or entry[name] < 0 for name in _NUMBERS)
