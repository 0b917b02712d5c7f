"""One cell, opened whole: what it says of itself, what it holds, and whether the two agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from loganon import gate
from loganon.aggregate import TableSpec
from loganon.shapes import personal
from loganon.store.cell import REQUESTS, SCHEMA_VERSION, Footer, read_footer
from loganon.store.layout import RESTORED, CellName
from loganon.verify.clauses import columns_of
from loganon.verify.findings import Findings, count_of
from loganon.verify.footers import find_in_footer, is_maker, is_sound
from loganon.verify.pages import find_hidden
from loganon.verify.values import Judge, list_versions, make_judges, plain_domains
from loganon.verify.view import View

_TIME = "time"
_DOMAIN = "domain"
ANSWER = "answer"
ANSWERS = ("unknown", "other", "other-bot", "{invalid}", gate.REDACTED)
"""What stands in a column in place of a value."""
_ANSWERS = pa.array(ANSWERS)


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell that could be read. `table`: its rows (None: they have other columns than the policy)."""

    name: CellName
    size: int
    footer: Footer
    table: pa.Table | None


class CellReader:
    """Reads cells of one view and puts what is wrong with them into `findings`."""

    def __init__(self, view: View, findings: Findings) -> None:
        self._view = view
        self._findings = findings
        self._spec: TableSpec = view.policy.spec
        self._judges = make_judges(view.policy)
        self._networks = view.policy.networks
        self._clauses = columns_of(view.policy)
        self._plain = plain_domains()
        self._versions = list_versions()

    def __call__(self, name: CellName) -> Cell | None:
        """The cell; None if it cannot be read."""
        try:
            data = self._view.read(name.path)
        except OSError as error:
            self._add("readable", name, f"a cell cannot be read ({error.strerror})")
            return None
        footer = read_footer(pa.BufferReader(data))
        table = self._table(data)
        if footer is None or table is None:
            if table is not None and _stated_rows(data) not in (None, table.num_rows):
                self._add("totals", name, "a cell has other rows than its footer names")
            else:
                self._add("readable", name, "a cell is damaged")
            return None
        self._check_file(name, data, table)
        self._check_stamp(name, footer)
        if not self._has_columns(name, data, table):
            return Cell(name, len(data), footer, None)
        plain = table.cast(self._spec.schema)
        self._check_rows(name, footer, plain)
        self._check_texts(name, footer, table)
        self._count(footer, plain)
        return Cell(name, len(data), footer, plain)

    def _table(self, data: bytes) -> pa.Table | None:
        """All rows, each page's checksum tested; None if they cannot be read."""
        try:
            schema = pq.read_schema(pa.BufferReader(data))
            texts = [field.name for field in schema if _is_text(field.type)]
            source = pa.BufferReader(data)
            with pq.ParquetFile(source, page_checksum_verification=True, read_dictionary=texts) as file:
                return file.read()
        except (pa.ArrowException, OSError, ValueError, KeyError):
            return None

    def _check_file(self, name: CellName, data: bytes, table: pa.Table) -> None:
        """The footer's keys, and what bytes, statistics, indexes and dictionaries hold besides the rows."""
        metadata = pq.read_metadata(pa.BufferReader(data))
        wrong, personal = find_in_footer(metadata.metadata or {})
        for what in wrong:
            self._add("keys", name, what)
        if not is_maker(metadata.created_by):
            self._add("hidden", name, "a footer names another program than the one that writes cells")
        for key in personal:
            self._add("address", name, f"{key} of a footer is shaped like an address or an e-mail")
        for column in _unused(table):
            self._add("hidden", name, f"values in {column} that no row uses")
        for what in find_hidden(data, table):
            self._add("hidden", name, what)

    def _check_stamp(self, name: CellName, footer: Footer) -> None:
        store = self._view.store
        if footer.store != store.uuid:
            self._add("stamp", name, "a cell is another store's")
        if footer.schema != SCHEMA_VERSION:
            self._add("stamp", name, f"a cell is of schema version {footer.schema} instead of {SCHEMA_VERSION}")
        if (footer.policy, footer.policy_sha256) != (store.policy.name, store.policy.sha256):
            self._add("stamp", name, "a cell bears another policy than the store")
        if name.writer not in (footer.writer, RESTORED):
            self._add("stamp", name, "a footer names another writer than its file")

    def _has_columns(self, name: CellName, data: bytes, table: pa.Table) -> bool:
        schema = pq.read_schema(pa.BufferReader(data)).remove_metadata()
        if schema != self._spec.schema:
            other = len(set(schema.names) - set(self._spec.schema.names))
            more = f", {count_of(other, 'column')} of them none of the policy's" if other else ""
            wrong = [field.name for field in self._spec.schema if field not in list(schema)]
            clauses = (*(["fields"] if other or not wrong else []), *self._of(wrong))
            self._add("columns", name, f"a cell has other columns or types than the policy{more}", clauses)
            return False
        nulls = [column for column in table.column_names if table[column].null_count]
        if nulls:
            self._add("columns", name, "a cell holds nulls", self._of(nulls))
            return False
        return True

    def _check_rows(self, name: CellName, footer: Footer, table: pa.Table) -> None:
        requests = pc.sum(table[REQUESTS]).as_py() or 0
        if table.num_rows != footer.rows or requests != sum(footer.lines.values()):
            what = f"{requests:,} requests, {sum(footer.lines.values()):,} lines by its footer"
            self._add("totals", name, what)
        least = {measure: pc.min(table[measure]).as_py() for measure in self._spec.measures}
        low = [measure for measure in least if table.num_rows and least[measure] < (measure == REQUESTS)]
        if low:
            self._add("totals", name, "counts below what an access gives", self._of(low))
        if not _is_ordered(table, self._spec.keys):
            self._add("rows", name, "rows that are not unique, or not in order")
        start = pa.scalar(name.start, self._spec.schema.field(_TIME).type)
        if table.num_rows and not pc.all(pc.equal(table[_TIME], start)).as_py():
            self._add("dates", name, "rows of another time than its own")
        unit = "day" if name.hour < 0 else "hour"
        if unit != self._spec.unit:
            self._add("dates", name, f"a cell spans the {unit}, and the policy counts by {self._spec.unit}")

    def _check_texts(self, name: CellName, footer: Footer, table: pa.Table) -> None:
        """Every distinct text; one look at all of them, and a closer one at each column where it finds something."""
        kinds = {field.name: field.type for field in self._spec.schema if _is_text(field.type)}
        texts = {column: _dictionary(table[column]).cast(kind) for column, kind in kinds.items()}
        together = pa.chunked_array(list(texts.values()), pa.string())
        self._findings.counts["texts"] += len(together)
        suspect = bool(personal(pl.Series(together)).any())
        for column, values in texts.items():
            shape = pa.schema([pa.field(column, values.type)])
            hits = gate.check(pa.table([values], shape), shape, networks=self._networks)[1] if suspect else 0
            if hits:
                what = f"{count_of(hits, 'value')} in {column} shaped like an address or an e-mail"
                self._add("address", name, what, ("fields", *self._of([column])))
            judge = self._judge(column, footer)
            strangers = judge(pl.Series(values)) if judge else 0
            if strangers:
                self._add(
                    "values",
                    name,
                    f"{count_of(strangers, 'value')} in {column} of no list and no form",
                    self._of([column]),
                )

    def _judge(self, column: str, footer: Footer) -> Judge | None:
        """The column's judge; domains that other lists let through than this version's are judged by form."""
        if column == _DOMAIN and any(footer.notes.get(name) != found for name, found in self._versions.items()):
            return self._plain
        return self._judges.get(column)

    def _count(self, footer: Footer, table: pa.Table) -> None:
        for note, value in footer.notes.items():
            if is_sound(note, value):
                self._findings.figures.setdefault("lists", {}).setdefault(note, Counter())[value] += 1
        self._findings.counts["requests"] += pc.sum(table[REQUESTS]).as_py() or 0
        for column in (each.name for each in table.schema if _is_text(each.type)):
            empty = table.filter(pc.is_in(table[column], _ANSWERS)).select([column, REQUESTS]).to_pydict()
            for answer, count in zip(empty[column], empty[REQUESTS], strict=True):
                self._findings.counts[f"{ANSWER} {column} {answer}"] += count
        if _DOMAIN in table.column_names:
            sums = table.select([_DOMAIN, REQUESTS]).group_by(_DOMAIN).aggregate([(REQUESTS, "sum")])
            for domain, count in zip(*(sums.column(n).to_pylist() for n in (_DOMAIN, f"{REQUESTS}_sum")), strict=True):
                self._findings.counts[f"domain {kind_of_domain(domain)}"] += count

    def _of(self, columns: Iterable[str]) -> tuple[str, ...]:
        """The clauses of these columns."""
        return tuple(dict.fromkeys(key for column in columns for key in self._clauses.get(column, ())))

    def _add(self, check: str, name: CellName, what: str, clauses: Iterable[str] | None = None) -> None:
        self._findings.add(check, name.path, what, clauses=clauses)


def kind_of_domain(domain: str) -> str:
    """`suffix` for a public suffix, `provider` for a domain, else the empty answer itself."""
    if domain.startswith("."):
        return "suffix"
    return domain.strip("{}") if domain in ("unknown", "other", gate.REDACTED) else "provider"


def _is_ordered(table: pa.Table, keys: Sequence[str]) -> bool:
    """True if each row comes after the one before it, by the keys in their order; so none stands twice."""
    count = max(table.num_rows - 1, 0)
    after = pa.repeat(pa.scalar(value=False), count)
    for key in reversed(keys):
        first, second = table[key].slice(0, count), table[key].slice(1)
        after = pc.or_(pc.less(first, second), pc.and_(pc.equal(first, second), after))
    return bool(pc.all(after, min_count=0).as_py())


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _stated_rows(data: bytes) -> int | None:
    """The rows that the footer names; None where it names none."""
    found = (pq.read_metadata(pa.BufferReader(data)).metadata or {}).get(b"loganon.rows", b"")
    return int(found) if found.isdigit() else None


def _dictionary(column: pa.ChunkedArray) -> pa.Array:
    """The column's distinct values, those of its dictionary that no row uses included."""
    whole = column.unify_dictionaries()
    return whole.chunk(0).dictionary if whole.num_chunks else pa.array([], pa.string())


def _unused(table: pa.Table) -> Iterator[str]:
    for name, column in zip(table.column_names, table.columns, strict=True):
        if pa.types.is_dictionary(column.type):
            whole = column.unify_dictionaries()
            used = pc.unique(pa.chunked_array([chunk.indices for chunk in whole.chunks], column.type.index_type))
            if len(used) - used.null_count < len(_dictionary(column)):
                yield name
