"""What a task of a Spark job says of the lines that it counted; no Spark is needed for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from loganon.chunks import Chunk, Window
from loganon.formats import load_formats
from loganon.lookups import Lookups
from loganon.pipeline import build
from loganon.spark.books import Book, decode_book, encode_book, join_books
from support.runs import line, plain_policy

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("hours", [(0,), (-3,), (-3, -50), (-3, 0), (0, 5)])
def test_the_newest_line_of_any_year(hours: tuple[int, ...]) -> None:
    """It is that of the lines also where they are of 1970's first hour, as of a device without a clock, or before it.

    A record without it would go without closing the past, and its lines could be counted again.
    """
    pipeline = build(plain_policy(), load_formats()["combined"], Lookups(), coded=True)
    books = []
    for hour in hours:
        data = line(EPOCH + timedelta(hours=hour), "/a")
        book = Book()
        book.add(pipeline(Chunk(data, 0, len(data)), Window(None, None)))
        books.append(decode_book(encode_book(book)))
    both = Book()
    for hour in hours:
        data = line(EPOCH + timedelta(hours=hour), "/a")
        both.add(pipeline(Chunk(data, 0, len(data)), Window(None, None)))
    newest = EPOCH + timedelta(hours=max(hours))
    for book in (join_books(books), both):
        assert book.result(plain_policy().spec).newest == newest
