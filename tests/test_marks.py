"""Questions about all bytes of a text have the answers that a look at each of them gives."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from loganon.chunks import MAX_LINE_BYTES
from loganon.parse.marks import begins_below, count_controls, find_marks, has_blanks_together, has_long_line

TEXTS = st.lists(st.sampled_from([b"a", b"#", b"!", b"$", b" ", b"\t", b"\n", b"\r", b"\0", b"\xff"]), max_size=40).map(
    b"".join
) | st.binary(max_size=60)


@settings(max_examples=300, deadline=None)
@given(text=TEXTS, limit=st.integers(0, 255), padding=st.integers(0, 70))
def test_each_question(text: bytes, limit: int, padding: int) -> None:
    """Wherever in a text something stands, at its borders too, it is found, and nothing else is."""
    text = b"a" * padding + text
    lines = text.split(b"\n")
    begins = [line[:1] or b"\n" for line in (lines[:-1] if text.endswith(b"\n") or not text else lines)]
    assert begins_below(text, limit) == any(first[0] < limit for first in begins)
    assert has_blanks_together(text) == any(one <= 32 and other <= 32 for one, other in pairwise(text))
    assert count_controls(text) == sum(byte < 32 for byte in text)
    marks = {b"#", b"\0", b"\xff"}
    assert find_marks(text, marks) == {mark for mark in marks if mark in text}


@settings(max_examples=20, deadline=None)
@given(before=st.integers(0, MAX_LINE_BYTES), length=st.sampled_from([0, MAX_LINE_BYTES // 2, MAX_LINE_BYTES + 1]))
def test_a_line_that_is_too_long_is_seen(before: int, length: int) -> None:
    """Wherever it begins; lines of less than half of the limit are not taken for one."""
    text = b"a" * min(before, MAX_LINE_BYTES // 2 - 1) + b"\n" + b"b" * length + b"\n" + b"c" * before + b"\n"
    assert has_long_line(text) or max(map(len, text.split(b"\n"))) <= MAX_LINE_BYTES
    assert not has_long_line((b"a" * 500_000 + b"\n") * 5)
