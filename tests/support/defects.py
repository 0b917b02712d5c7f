"""Defects, each planted into a copy of a healthy store by a means of its own, and the checks of `verify` it breaks.

Cells are written with pyarrow directly: the store's own code would refuse most of them.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from loganon.policy import Policy, parse_policy
from support.runs import KEY, NOW, PLAIN, ingest, line

ADDRESS = "91.44.26.11"
EMAIL = "jane.doe@example.org"
SEALED, OPEN = "2026-11-17", "2026-11-20"
GONE = "2026-11-14"  # before the cutoff
CUTOFF = "2026-11-15"
_KNOWN = "p5B2C1A0B.dip0.t-ipconnect.de"
_OTHER = "mail.fam-schmidt.de"


def week_policy(**changes: str) -> Policy:
    """A week's age and a minimum on each field that may have one."""
    text = PLAIN.replace("6 weeks", changes.get("keep_for", "7 days")).replace("known_only = false", "minimum = 2")
    text = text.replace('as = "path"', 'as = "path", minimum = 2').replace(
        '"family+major"', '"family+major", minimum = 2'
    )
    return parse_policy(text.replace('as = "hour"', f'as = "{changes.get("unit", "hour")}"'), where="week")


def log_of(days: range, tag: str) -> bytes:
    """Lines of these days of November at 10 and 11 o'clock: often, twice, once; two domains."""
    found = []
    for day in days:
        for hour in (10, 11):
            at = datetime(2026, 11, day, hour, tzinfo=UTC)
            paths = [f"/{tag}/often"] * 3 + [f"/{tag}/twice"] * 2 + [f"/{tag}/once-{day}-{hour}"]
            found += [line(at + timedelta(minutes=n), path, client=_KNOWN) for n, path in enumerate(paths)]
            found += [line(at, f"/{tag}/often", client=_OTHER), b"no line of any format\n" if day % 2 else b""]
    return b"".join(found)


def healthy_store(folder: Path, **changes: str) -> Path:
    """Seven days: four of them sealed, two writers, rejected lines; five more days are deleted."""
    store, first, second = folder / "store", folder / "a.log", folder / "b.log"
    first.write_bytes(log_of(range(10, 17), "a"))
    ingest(store, [first], now=datetime(2026, 11, 16, 12, tzinfo=UTC), policy=week_policy(**changes))
    first.write_bytes(log_of(range(10, 21), "a"))
    second.write_bytes(log_of(range(19, 21), "b"))
    ingest(store, [first], now=NOW)
    ingest(store, [second], now=NOW, writer="second")
    return store


def copy_of(store: Path, folder: Path) -> Path:
    """The store with all its modes, elsewhere."""
    return Path(shutil.copytree(store, folder / "copy", symlinks=True))


# --- how a cell is changed --------------------------------------------------------------------------------------------

Change = Callable[[pa.Table], pa.Table]


def cell(store: Path, day: str = OPEN, hour: int = 10) -> Path:
    return store / f"access/date={day}/hour-{hour:02d}.parquet"


def notes_of(path: Path) -> dict[str, str]:
    metadata = pq.read_metadata(path).metadata or {}
    return {key.decode(): value.decode() for key, value in metadata.items() if key != b"ARROW:schema"}


def rewrite(path: Path, change: Change | None = None, **notes: str) -> None:
    """The cell again, with other rows or other notes in its footer."""
    table = pq.ParquetFile(path).read().replace_schema_metadata(None)
    table = change(table) if change else table
    footer = notes_of(path) | {"loganon.rows": str(table.num_rows)}
    write(path, table, footer | {f"loganon.{key}": value for key, value in notes.items()})


def write(path: Path, table: pa.Table, footer: dict[str, str], compression: str = "zstd") -> None:
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, table.schema, compression=compression, write_page_checksum=True) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata(footer)
    path.write_bytes(sink.getvalue())


def put(column: str, value: object, row: int = 0) -> Change:
    """One value of a column becomes another, and the rows are put in order again."""

    def change(table: pa.Table) -> pa.Table:
        rows = table.to_pylist()
        rows[row][column] = value
        keys = table.column_names[: table.column_names.index("requests")]
        rows.sort(key=lambda found: [found[key] for key in keys])
        return pa.Table.from_pylist(rows, schema=table.schema)

    return change


def edit_json(path: Path, **members: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | members) + "\n")


def record(store: Path, stream: str = "a.log") -> Path:
    return next(p for p in (store / "_loganon/sources").iterdir() if json.loads(p.read_text())["stream"] == stream)


def quarantine(store: Path) -> None:
    folder = store / f"_loganon/quarantine/date={OPEN}"
    folder.mkdir(parents=True, mode=0o700)
    folder.parent.chmod(0o700)
    cell(store).rename(folder / f"{'0a' * 8}.{cell(store).name}")


def restored_backup(store: Path) -> None:
    """A partition that was deleted is there again."""
    old = cell(store, CUTOFF).parent
    shutil.copytree(old, old.with_name(f"date={GONE}"))
    day = pa.scalar(86_400_000, pa.duration("ms"))
    for path in old.with_name(f"date={GONE}").iterdir():
        rewrite(path, lambda table: table.set_column(0, table.field(0), pc.subtract(table["time"], day)))


def table_left(store: Path) -> None:
    """A change of policy left a table in staging, with a partition that had to go."""
    folder = store / f"_loganon/staging/{'0' * 32}-table/date={GONE}"
    folder.mkdir(parents=True)
    folder.chmod(0o700)
    folder.parent.chmod(0o700)
    shutil.copy2(cell(store, CUTOFF), folder)


def append_deletion(store: Path, day: str, state: str, **more: str) -> None:
    path = store / "_loganon/deletions.jsonl"
    entry = json.loads(path.read_text().splitlines()[-1]) | {"partition": day, "state": state} | more
    path.write_text(path.read_text() + json.dumps(entry) + "\n")


# --- the defects ------------------------------------------------------------------------------------------------------


def flipped_bit(store: Path) -> None:
    data = bytearray(cell(store).read_bytes())
    data[60] ^= 1
    cell(store).write_bytes(data)


def truncated(store: Path) -> None:
    cell(store).write_bytes(cell(store).read_bytes()[:-9])


def lines_of_footer(store: Path) -> None:
    lines = json.loads(notes_of(cell(store))["loganon.lines"])
    rewrite(cell(store), lines=json.dumps({source: count + 1 for source, count in lines.items()}))


def extra_column(table: pa.Table) -> pa.Table:
    return table.append_column("client", pa.array(["x"] * table.num_rows))


def nested_column(table: pa.Table) -> pa.Table:
    lists = pa.array([[number] for number in range(table.num_rows)])
    return table.append_column(pa.field("more", lists.type, nullable=False), lists)


def column_of_durations(table: pa.Table) -> pa.Table:
    """A type whose ends Arrow does not tell."""
    times = pa.array(range(table.num_rows), pa.duration("ms"))
    return table.append_column(pa.field("more", times.type, nullable=False), times)


def time_of_no_calendar(table: pa.Table) -> pa.Table:
    times = pa.array([1 << 60] * table.num_rows).cast(table.schema.field("time").type)
    return table.set_column(0, table.schema.field("time"), times)


def with_nulls(table: pa.Table) -> pa.Table:
    nullable = pa.schema([field.with_nullable(True) for field in table.schema])
    rows = table.to_pylist()
    rows[0]["browser"] = None
    return pa.Table.from_pylist(rows, schema=nullable)


def other_type(table: pa.Table) -> pa.Table:
    index = table.schema.get_field_index("bytes")
    return table.set_column(index, pa.field("bytes", pa.int32(), nullable=False), table["bytes"].cast(pa.int32()))


def split_row(table: pa.Table) -> pa.Table:
    """A row of several requests as two rows."""
    rows = table.to_pylist()
    at = next(n for n, row in enumerate(rows) if row["requests"] > 1)
    rows.insert(at, rows[at] | {"requests": 1, "bytes": 0})
    rows[at + 1]["requests"] -= 1
    return pa.Table.from_pylist(rows, schema=table.schema)


def misplaced(store: Path) -> None:
    """A cell that lies in the partition of another day."""
    (cell(store, "2026-11-19", 10)).rename(store / f"access/date={OPEN}/hour-09.parquet")


def future_partition(store: Path) -> None:
    folder = store / "access/date=2027-01-05"
    folder.mkdir(mode=0o700)
    cell(store).rename(folder / cell(store).name)


def unused_value(store: Path) -> None:
    """A dictionary page holds a value that no row uses."""
    table = pq.ParquetFile(cell(store)).read().replace_schema_metadata(None)
    values = table["file"].combine_chunks().dictionary_encode()
    more = pa.concat_arrays([values.dictionary, pa.array([f"/u/{EMAIL}"])])
    column = pa.DictionaryArray.from_arrays(values.indices, more)
    index = table.schema.get_field_index("file")
    other = table.set_column(index, pa.field("file", column.type, nullable=False), column)
    footer = notes_of(cell(store))
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, other.schema, compression="zstd", store_schema=False) as writer:
        writer.write_table(other)
        writer.add_key_value_metadata(footer)
    cell(store).write_bytes(sink.getvalue())


def again(store: Path, **how: object) -> None:
    """The same rows and keys, written in another way."""
    table, footer = pq.ParquetFile(cell(store)).read().replace_schema_metadata(None), notes_of(cell(store))
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, table.schema, compression="zstd", store_schema=False, **how) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata(footer)
    cell(store).write_bytes(sink.getvalue())


def split_file(store: Path) -> tuple[bytes, bytes]:
    """A cell's pages, and its footer without length and magic number."""
    data = cell(store).read_bytes()
    start = len(data) - int.from_bytes(data[-8:-4], "little") - 8
    return data[:start], data[start:-8]


def join_file(store: Path, pages: bytes, footer: bytes) -> None:
    cell(store).write_bytes(pages + footer + len(footer).to_bytes(4, "little") + b"PAR1")


def page_index_with_more(store: Path) -> None:
    """Between a page index and the footer stands a text."""
    again(store, write_page_index=True)
    pages, footer = split_file(store)
    join_file(store, pages + EMAIL.encode(), footer)


def row_group_of_nothing(store: Path) -> None:
    """A row group without rows follows, and its column's dictionary could hold any text."""
    table = pq.ParquetFile(cell(store)).read().replace_schema_metadata(None)
    footer, sink = notes_of(cell(store)), pa.BufferOutputStream()
    with pq.ParquetWriter(sink, table.schema, compression="zstd", store_schema=False) as writer:
        writer.write_table(table)
        writer.write_table(table.slice(0, 0))
        writer.add_key_value_metadata(footer)
    cell(store).write_bytes(sink.getvalue())


def unknown_field(store: Path) -> None:
    """The footer ends with a field that no library knows, and each leaves out: number 30, a text."""
    pages, footer = split_file(store)
    join_file(store, pages, footer[:-1] + bytes([0x08, 60, len(EMAIL)]) + EMAIL.encode() + b"\0")


def named_root(store: Path) -> None:
    """The group of all columns, which no reader names, has another name than `schema`."""
    pages, footer = split_file(store)
    join_file(store, pages, footer.replace(b"\x06schema", bytes([len(EMAIL)]) + EMAIL.encode()))


def longer_column(store: Path) -> None:
    """The last column is said to go on behind its last page, where a text stands."""
    pages, footer = split_file(store)
    group = pq.read_metadata(cell(store)).row_group(0)
    size = group.column(group.num_columns - 1).total_compressed_size
    before, name, after = footer.rpartition(b"\x05bytes")
    assert name
    assert size < 116
    old, new = (bytes([0x16, 2 * n & 127 | 128, n >> 6]) if n > 63 else bytes([0x16, 2 * n]) for n in (size, size + 11))
    assert old in after
    join_file(store, pages + ADDRESS.encode(), before + name + after.replace(old, new, 1))
    assert pq.read_metadata(cell(store)).row_group(0).column(7).total_compressed_size == size + 11


def statistics_of_a_page(store: Path) -> None:
    """The head of a page, which no statistics of the column repeat, says of its sums what no row bears out."""
    pages, footer = split_file(store)
    greatest = struct.pack("<q", max(pq.ParquetFile(cell(store)).read()["bytes"].to_pylist()))
    at = pages.rindex(greatest, 0, pages.rindex(b"\x28\xb5\x2f\xfd"))  # the last page's rows: a frame of zstd
    join_file(store, pages[:at] + struct.pack("<q", 1 << 40) + pages[at + 8 :], footer)


def between_pages(store: Path) -> None:
    data = cell(store).read_bytes()
    footer = int.from_bytes(data[-8:-4], "little") + 8
    cell(store).write_bytes(data[:-footer] + ADDRESS.encode() + data[-footer:])


def other_statistics(store: Path) -> None:
    """The statistics of a column name a value that stands in no row."""
    table, footer = pq.ParquetFile(cell(store)).read().replace_schema_metadata(None), notes_of(cell(store))
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, table.schema, compression="zstd", write_statistics=True) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata(footer)
    data = bytes(sink.getvalue())
    start = len(data) - int.from_bytes(data[-8:-4], "little") - 8
    forged = data[start:].replace(b"/a/twice", b"/a/twicf")
    assert forged != data[start:]
    cell(store).write_bytes(data[:start] + forged)


def narrowed_statistics(store: Path) -> None:
    """The greatest sum of bytes that a footer names is less than a row's: who asks for more leaves the row out."""
    path = cell(store)
    data, greatest = path.read_bytes(), max(pq.ParquetFile(path).read()["bytes"].to_pylist())
    start = len(data) - int.from_bytes(data[-8:-4], "little") - 8
    forged = data[start:].replace(struct.pack("<q", greatest), struct.pack("<q", greatest - 1))
    assert forged != data[start:]
    path.write_bytes(data[:start] + forged)


def statistics_of_no_calendar(store: Path) -> None:
    """The time that a footer names as the greatest is one that no calendar has."""
    path = cell(store)
    data, stated = path.read_bytes(), struct.pack("<q", pq.ParquetFile(path).read()["time"][0].value)
    start = len(data) - int.from_bytes(data[-8:-4], "little") - 8
    forged = data[start:].replace(stated, struct.pack("<q", 1 << 60))
    assert forged != data[start:]
    path.write_bytes(data[:start] + forged)


def metadata_of_a_column(store: Path) -> None:
    """The Arrow schema in a footer, which readers put beside the columns, bears a text besides."""
    table = pq.ParquetFile(cell(store)).read().replace_schema_metadata(None)
    fields = [field.with_metadata({"client": ADDRESS}) if field.name == "file" else field for field in table.schema]
    write(cell(store), table.cast(pa.schema(fields)), notes_of(cell(store)))


def another_maker(store: Path) -> None:
    """The footer's name of the program that wrote it is another text, of the same length."""
    data = cell(store).read_bytes()
    maker = pq.read_metadata(pa.BufferReader(data)).created_by.encode()
    cell(store).write_bytes(data.replace(maker, f"{ADDRESS} was here".encode().ljust(len(maker))[: len(maker)]))


def rare_value(store: Path) -> None:
    rewrite(cell(store, SEALED), put("file", "/a/only"))


def one_unsealed(store: Path) -> None:
    rewrite(cell(store, SEALED), sealed="false")


def never_sealed(store: Path) -> None:
    for hour in (10, 11):
        rewrite(cell(store, SEALED, hour), sealed="false")


def _with_records(store: Path) -> Path:
    """A cell whose footer holds copies of records."""
    return next(path for path in sorted(store.glob("access/*/*")) if "loganon.records" in notes_of(path))


def key_beside_records(store: Path) -> None:
    path = _with_records(store)
    rewrite(path, records=json.dumps(json.loads(notes_of(path)["loganon.records"]) | {"client": "x"}))


def damaged_records(store: Path) -> None:
    path = _with_records(store)
    rewrite(path, records=notes_of(path)["loganon.records"].replace('"sha256":"', '"sha256":"0'))


def foreign_cell(store: Path) -> None:
    """A cell of another store, with its own source."""
    lines = json.loads(notes_of(cell(store))["loganon.lines"])
    other = cell(store, OPEN, 3)
    shutil.copy2(cell(store), other)
    rewrite(
        other,
        lambda table: table.set_column(
            0, table.field(0), pc.subtract(table["time"], pa.scalar(7 * 3_600_000, pa.duration("ms")))
        ),
        store="0" * 8 + "-0000-4000-8000-" + "0" * 12,
        lines=json.dumps({"f" * 32: sum(lines.values())}),
    )


def new_policy_text(store: Path) -> None:
    path = store / "_loganon/store.json"
    document = json.loads(path.read_text())
    text = document["policy"]["text"].replace("7 days", "8 days")
    assert text != document["policy"]["text"]
    edit_json(path, policy=document["policy"] | {"text": text})


def counted_twice(store: Path) -> None:
    found = json.loads(record(store).read_text())
    edit_json(record(store), lines=found["lines"] | {"counted": found["lines"]["counted"] - 1})


def older_record(store: Path) -> None:
    found = json.loads(record(store).read_text())
    edit_json(record(store), generation=found["generation"] - 1)


def raised_cutoff(store: Path) -> None:
    edit_json(store / "_loganon/state.json", cutoff="2026-11-16")


def linked(store: Path) -> None:
    target = store.parent / "elsewhere.parquet"
    cell(store).rename(target)
    cell(store).symlink_to(target)


def bound_socket(store: Path) -> None:
    """A socket's name; its path would be too long for the call."""
    here = Path.cwd()
    os.chdir(store)
    try:
        with socket.socket(socket.AF_UNIX) as each:
            each.bind("socket")
    finally:
        os.chdir(here)


def file_in(store: Path, path: str, data: bytes = b"x", mode: int = 0o600) -> None:
    (store / path).write_bytes(data)
    (store / path).chmod(mode)


def broken_journal(store: Path) -> None:
    file_in(store, "_loganon/commit.json", b'{"version": 1, "files": [{"staged": "x"}]}\n')


def lost_file_of_a_commit(store: Path) -> None:
    move = {"staged": f"{'0' * 32}-000000", "final": "_loganon/state.json", "size": 1, "sha256": "0" * 64}
    file_in(store, "_loganon/commit.json", json.dumps({"version": 1, "files": [move], "directories": []}).encode())


@dataclass(frozen=True, slots=True)
class Defect:
    """What is planted, and the checks that it breaks: these and no other."""

    plant: Callable[[Path], object]
    breaks: frozenset[str]


def _cell(breaks: str, change: Change | None = None, **notes: str) -> Defect:
    return Defect(lambda store: rewrite(cell(store), change, **notes), frozenset(breaks.split()))


def _store(breaks: str, plant: Callable[[Path], object]) -> Defect:
    return Defect(plant, frozenset(breaks.split()))


DEFECTS = {
    # what can no longer be read, or does not agree with itself
    "a flipped bit": _store("readable conservation", flipped_bit),
    "a truncated cell": _store("readable conservation", truncated),
    "an empty cell": _store("readable conservation", lambda store: cell(store).write_bytes(b"")),
    "a cell that is gone": _store("conservation", lambda store: cell(store).unlink()),
    "rows of the footer": _cell("totals conservation", rows="1"),
    "lines of the footer": _store("totals conservation", lines_of_footer),
    "requests of a row": _cell("totals", put("requests", 70)),
    "no requests in a row": _cell("totals", put("requests", 0)),
    "bytes below nothing": _cell("totals", put("bytes", -1)),
    "a row twice": _cell("rows", split_row),
    "rows out of order": _cell("rows", lambda table: table.take(list(range(table.num_rows))[::-1])),
    # what the policy does not name
    "a column more": _cell("columns", extra_column),
    "a column of lists more": _cell("columns", nested_column),
    "a column of durations more": _cell("columns", column_of_durations),
    "a column less": _cell("columns", lambda table: table.drop_columns(["browser_version"])),
    "another type": _cell("columns", other_type),
    "a time of no calendar": _cell("dates", time_of_no_calendar),
    "a null": _cell("columns", with_nulls),
    "columns in another order": _cell("columns", lambda table: table.select(table.column_names[::-1])),
    "a domain of no list": _cell("values", put("domain", "fam-schmidt.de")),
    "a suffix of no list": _cell("values", put("domain", ".not-a-suffix")),
    "a host name": _cell("values", put("domain", "dip0.t-ipconnect.de")),
    "a browser of no list": _cell("values", put("browser", "sess-8f3a9c2d7e11bot")),
    "a long version": _cell("values", put("browser_version", "1234")),
    "a query": _cell("values", put("file", "/search?q=jane")),
    "a path too long": _cell("values", put("file", "/" + "a" * 1024)),
    "a footer's key": _cell("keys", client="x"),
    "a note of another form": _cell("keys", known_providers="x"),
    "a key in a record": _store("keys", lambda store: edit_json(record(store), client="x")),
    "a key in the store's file": _store("keys", lambda s: edit_json(s / "_loganon/store.json", host="x")),
    "a key beside copies of records": _store("keys", key_beside_records),
    "copies of records that are damaged": _store("keys", damaged_records),
    # what identifies a person
    "an address in the file": _cell("address", put("file", f"/ip/{ADDRESS}/")),
    "an IPv6 address in the file": _cell("address", put("file", "/ip/2003:0:ab::1/")),
    "an encoded address": _cell("address", put("file", "/ip/91%2e44%252e26.11/")),
    "an e-mail in the file": _cell("address", put("file", "/u/jane.doe%40example.org")),
    "an address as domain": _cell("address values", put("domain", ADDRESS)),
    "an e-mail as browser": _cell("address values", put("browser", EMAIL)),
    "an e-mail in the footer": _cell("address keys", agents=EMAIL),
    "an address in the footer": _cell("address", provider_db_1=f"of {ADDRESS} 2026-11-20"),
    "an address in a record": _store("address", lambda store: edit_json(record(store), format=f"of {ADDRESS}")),
    "an e-mail in the state": _store("address keys", lambda s: edit_json(s / "_loganon/state.json", note=EMAIL)),
    "an e-mail in the deletion record": _store(
        "address keys", lambda s: file_in(s, "_loganon/deletions.jsonl", json.dumps({"rule": EMAIL}).encode())
    ),
    "an e-mail in the lock": _store("keys", lambda s: file_in(s, "_loganon/lock", EMAIL.encode())),
    "an e-mail in the reserve": _store("keys", lambda s: file_in(s, "_loganon/reserve", b"\xff" * 99 + EMAIL.encode())),
    "an e-mail beside a table's id": _store(
        "address keys", lambda s: file_in(s, "access/_table.json", json.dumps({"id": "0" * 32, "of": EMAIL}).encode())
    ),
    "a key in the deletion record": _store("keys", lambda s: append_deletion(s, "2026-11-10", "done", client="x")),
    "an entry of the deletion record without a number": _store(
        "keys", lambda s: append_deletion(s, "2026-11-10", "done", rows="x")
    ),
    "an entry of the deletion record of no day": _store("keys", lambda s: append_deletion(s, "jane", "begun")),
    "a key in the record of the quarantine": _store(
        "keys", lambda s: file_in(s, "_loganon/quarantine.jsonl", b'{"version":1,"client":"x"}\n')
    ),
    "a value that no row uses": _store("hidden address", unused_value),
    "bytes between the pages": _store("hidden", between_pages),
    "statistics of no row": _store("hidden", other_statistics),
    "statistics that leave rows out": _store("hidden", narrowed_statistics),
    "statistics of no calendar": _store("hidden", statistics_of_no_calendar),
    "statistics of a page": _store("hidden", statistics_of_a_page),
    "a page index": _store("hidden", lambda store: again(store, write_page_index=True)),
    "bytes behind a page index": _store("hidden", page_index_with_more),
    "a row group without rows": _store("hidden", row_group_of_nothing),
    "a text that no library knows": _store("hidden", unknown_field),
    "a name of all columns": _store("hidden", named_root),
    "a column longer than its pages": _store("hidden", longer_column),
    "metadata of a column": _store("keys", metadata_of_a_column),
    "another maker": _store("hidden", another_maker),
    "the key in the store": _store("key foreign", lambda store: file_in(store, "key", KEY.secret)),
    # what is counted
    "a line counted twice": _store("conservation", counted_twice),
    "deleted lines that were not": _store("conservation", lambda store: edit_json(record(store), deleted=0)),
    "a record that is gone": _store("records generations", lambda store: record(store).unlink()),
    "a damaged record": _store("records", lambda store: record(store).write_bytes(b"{")),
    "an older record": _store("generations", older_record),
    "a record that knows no newest line": _store(
        "records", lambda store: edit_json(record(store), newest="2026-11-01T00:00:00+00:00")
    ),
    "an outcome of no name": _store(
        "records conservation", lambda store: edit_json(record(store), lines={"counted": 98, "lost": 5})
    ),
    "a cell put aside": _store("quarantine conservation", quarantine),
    "a damaged journal": _store("journal", broken_journal),
    "a commit whose file is lost": _store("journal", lost_file_of_a_commit),
    # what had to be gone
    "a backup restored": _store("cutoff age deletions", restored_backup),
    "cells of a table that was given up": _store("cutoff age", table_left),
    "a cutoff set too high": _store("cutoff conservation", raised_cutoff),
    "no cutoff": _store("retention", lambda store: edit_json(store / "_loganon/state.json", cutoff=None)),
    "a cutoff left behind": _store(
        "retention", lambda store: edit_json(store / "_loganon/state.json", cutoff="2026-11-10")
    ),
    "a partition called deleted": _store("deletions", lambda store: append_deletion(store, OPEN, "done")),
    "a deletion that goes on": _store("deletions", lambda store: append_deletion(store, OPEN, "begun")),
    "a second name of a cell": _store("copies", lambda store: (store.parent / "kept").hardlink_to(cell(store))),
    "a cell of another day": _store("dates", misplaced),
    "a row of another hour": _cell("dates", put("time", datetime(2026, 11, 20, 9, tzinfo=UTC))),
    "a cell of another span": _store("dates", lambda store: cell(store).rename(cell(store).with_name("day.parquet"))),
    "a partition to come": _store("clock dates records", future_partition),
    "a commit to come": _store(
        "clock", lambda store: edit_json(store / "_loganon/state.json", last_commit="2026-11-23T00:00:00+00:00")
    ),
    # rare values
    "a rare value": _store("minimum", rare_value),
    "a cell not sealed with its day": _store("sealed", one_unsealed),
    "a day not sealed": _store("sealed", never_sealed),
    # one policy, one store
    "another policy's text": _store("policy", new_policy_text),
    "another store's id": _cell("stamp", store="0" * 8 + "-0000-4000-8000-" + "0" * 12),
    "another store's cell": _store("stamp records", foreign_cell),
    "a newer schema": _cell("stamp", schema="2"),
    "another policy's cell": _cell("stamp", policy_sha256="0" * 64),
    "another writer's cell": _cell("stamp", writer="else"),
    "a file among the partitions": _store("foreign", lambda store: file_in(store, "access/notes.txt")),
    "a file among the cells": _store("foreign", lambda s: file_in(s, f"access/date={OPEN}/.hour-10.parquet.swp")),
    "a file among the records": _store("foreign", lambda store: file_in(store, "_loganon/sources/x.tmp")),
    "a file in the store": _store("foreign", lambda store: file_in(store, "access.log")),
    "a directory in the store": _store("foreign", lambda store: (store / "access/old/inner").mkdir(parents=True)),
    "a partition of no day": _store("foreign", lambda store: (store / "access/date=2026-02-31").mkdir()),
    "a link for a cell": _store("kinds conservation", linked),
    "a link for a directory": _store("kinds", lambda store: (store / "access/date=2026-11-21").symlink_to(store)),
    "a pipe": _store("kinds", lambda store: os.mkfifo(store / "_loganon/pipe")),
    "a socket": _store("kinds", bound_socket),
    "a cell for all to read": _store("modes", lambda store: cell(store).chmod(0o644)),
    "a partition for all to read": _store("modes", lambda store: cell(store).parent.chmod(0o755)),
    "a record for the group to read": _store("modes", lambda store: record(store).chmod(0o640)),
    "the store for all to read": _store("modes", lambda store: store.chmod(0o755)),
    "the private part for all to enter": _store("modes", lambda store: (store / "_loganon").chmod(0o711)),
}
"""By name; each is found by `verify`, and by nothing but the checks that stand with it."""
