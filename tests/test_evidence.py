"""`loganon verify --report`: what is found apart from what is attested; figures of the store, never its content."""

from __future__ import annotations

import json
import re
import stat
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from loganon import __version__
from loganon.evidence import FORMS, Evidence, gather, load_evidence, write
from loganon.evidence.deletion import last_trace, log_of
from loganon.evidence.document import OPEN, part_of
from loganon.evidence.markdown import escape
from loganon.pages import shown
from loganon.policy import Policy, bundled, load_policy, parse_policy
from loganon.policy.clauses import clauses_of
from loganon.status import load_status
from loganon.store import LocalStore
from loganon.verify import CHECKS, FIGURES, verify
from support.cli import SAMPLE_NOW, SAMPLES, Inside
from support.defects import ADDRESS, append_deletion, cell, copy_of, file_in, healthy_store, put, rewrite
from support.runs import NOW, PLAIN, ingest, line, table_of

HOSTILE = (
    "<script>alert(1)</script> [x](https://e.example) ![i](//e) **b** | =cmd() \x1b[31m\u202e www.e.example "
    "j@e.example `<b>` &lt; <img src=//e onerror=alert(1)>"
)
FILLED = 'name    = "Acme Ltd"\ncontact = "privacy@acme.example"'


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return healthy_store(tmp_path_factory.mktemp("healthy"))


@pytest.fixture(scope="module")
def evidence(healthy: Path) -> Evidence:
    return evidence_of(healthy)


def evidence_of(store: Path, now: datetime = NOW, raw: tuple[str, ...] = ()) -> Evidence:
    found = load_evidence(store, verify(store, now=now, raw=raw))
    assert isinstance(found, Evidence)
    return found


def store_under(policy: Policy, folder: Path) -> Path:
    (folder / "a.log").write_bytes(line(NOW))
    ingest(folder / "store", [folder / "a.log"], policy=policy)
    return folder / "store"


# --- what it says -----------------------------------------------------------------------------------------------------


def test_the_figures_are_the_store_s(healthy: Path, evidence: Evidence) -> None:
    """Accesses, rows, cells and answers as pyarrow reads them; lines as the records and `verify` have them."""
    table, coverage = table_of(healthy), evidence.coverage
    assert coverage.requests == sum(table["requests"].to_pylist())
    assert coverage.sizes["rows"] == table.num_rows
    assert coverage.sizes["bytes"] == sum(path.stat().st_size for path in healthy.glob("access/*/*"))
    counted: dict[str, dict[str, int]] = {}
    for row in table.to_pylist():
        for column in ("domain", "file", "browser"):
            if row[column] in ("other", "unknown"):
                found = counted.setdefault(column, {})
                found[row[column]] = found.get(row[column], 0) + row["requests"]
    assert counted
    assert {column: dict(each) for column, each in coverage.answers.items()} == counted
    records = [json.loads(path.read_text()) for path in (healthy / "_loganon/sources").iterdir()]
    done = sum(sum(record["lines"].values()) for record in records)
    assert coverage.lines["done"] == done == sum(coverage.lines.values()) - done
    assert coverage.lines["rejected: malformed"] == sum(record["lines"].get("malformed", 0) for record in records)


def test_the_deletion_log_is_the_store_s(healthy: Path, evidence: Evidence) -> None:
    """Each deletion once, oldest first, with rows, bytes, rule, policy hash, both times and its result."""
    entries = [json.loads(each) for each in (healthy / "_loganon/deletions.jsonl").read_text().splitlines()]
    done = [each for each in entries if each["state"] == "done"]
    assert len(done) == 5
    told = [
        (each.partition, each.rows, each.bytes, each.rule, each.policy_sha256, each.done) for each in evidence.deletions
    ]
    assert told == [
        (each["partition"], each["rows"], each["bytes"], each["rule"], each["policy_sha256"], each["time"])
        for each in done
    ]
    assert {each.result for each in evidence.deletions} == {"unlinked, directory synced"}


def test_a_deletion_that_is_not_done() -> None:
    """Begun and standing: not finished; begun and gone: said so; deleted twice, as after a backup: two entries."""
    begun = {"partition": "2026-11-09", "rows": 1, "bytes": 2, "files": 1, "rule": "r", "state": "begun", "time": "t1"}
    done = begun | {"state": "done", "time": "t2"}
    again = [begun, done, begun | {"time": "t3"}, done | {"time": "t4"}]
    assert [each.result for each in log_of([begun], [date(2026, 11, 9)])] == ["not finished"]
    assert [each.result for each in log_of([begun], [])] == ["gone; the end was not recorded"]
    assert [(each.begun, each.done) for each in log_of(again, [])] == [("t1", "t2"), ("t3", "t4")]
    other = begun | {"partition": "2026-11-10", "time": "t0"}
    mixed = log_of([other, begun, done, other | {"state": "done", "time": "t5"}], [])
    assert [(each.begun, each.done) for each in mixed] == [("t0", "t5"), ("t1", "t2")]


def test_an_entry_without_a_number() -> None:
    """A damaged entry of the deletion record, which `verify` names, ends no report: what is no number is none."""
    entry = {"partition": "2026-11-09", "rows": "x", "bytes": None, "state": "done", "time": "t1"}
    (found,) = log_of([entry], [])
    assert (found.rows, found.bytes, found.files) == (0, 0, 0)


@pytest.mark.parametrize("name", bundled())
def test_every_item_of_article_30(name: str, tmp_path: Path) -> None:
    """(a) to (g) are there; the controller is attested where the policy names one, else open; no text is invented."""
    for text, named in ((bundled()[name], False), (_filled(bundled()[name]), True)):
        policy = parse_policy(text, where=name)
        folder = tmp_path / str(named)
        folder.mkdir()
        found = evidence_of(store_under(policy, folder))
        items = {each.reference for each in found.record}
        assert items == {*(f"30(1)({letter})" for letter in "abcdefg"), "6(1)"}
        first = found.record[0]
        assert (first.attested, bool(first.open)) == (
            ("Acme Ltd, privacy@acme.example", False) if named else ("", True)
        )
        assert not first.generated
        assert all(each.open for each in found.record[1:])
        owners = {rule.owner for rule in found.concept if rule.generated and "hold" not in rule.data_type}
        assert ("Acme Ltd, privacy@acme.example" in owners) is named
        by_article = {each.reference: each.generated for each in found.record}
        assert str(policy.keep_for) in by_article["30(1)(f)"]
        assert ("refused" in by_article["30(1)(b)"] + found.record[3].generated) is not policy.purpose.evaluate


def _filled(text: str) -> str:
    return text.replace('name = ""\ncontact = ""', FILLED)


@pytest.mark.parametrize("name", bundled())
def test_every_clause_is_told(name: str, tmp_path: Path) -> None:
    """Each clause of each policy stands under what is enforced or verified, under what is attested, or under both."""
    policy = load_policy(name)
    told = evidence_of(store_under(policy, tmp_path)).as_dict()
    for clause in clauses_of(policy):
        kinds = {str(kind) for kind in clause.kinds}
        generated = [each["key"] for each in told["generated"]["clauses"]]
        attested = [each["key"] for each in told["attested"]["clauses"]]
        assert (clause.key in generated) is bool(kinds & {"enforced", "verified"})
        assert (clause.key in attested) is ("attested" in kinds)
    assert len(told["generated"]["fields"]) == len(list(policy.kept()))
    assert ("not certified anonymous" in " ".join(told["limits"])) is bool(policy.networks)


def test_the_deletion_concept(tmp_path: Path) -> None:
    """DIN 66398: data type, start, period, rule, owner, of the table, the raw logs, dated files and holds."""
    policy = load_policy("by-category")
    found = evidence_of(store_under(policy, tmp_path))
    types = {rule.data_type.split(":")[0]: rule for rule in found.concept}
    assert {entry.name for entry in policy.also_expire} <= set(types)
    assert (types["video"].period, types["video"].owner, types["video"].generated) == ("60 days", "security", False)
    assert types["table of accesses, one partition a day"].generated
    assert not types["raw access logs, which hold addresses"].generated
    assert all(rule.start and rule.period and rule.rule for rule in found.concept)


def test_gone_everywhere() -> None:
    """Age and backups' age together, by the calendar; nothing where nothing ever goes."""
    policy = load_policy("with-backups")
    assert last_trace(policy, date(2026, 11, 20)) == date(2028, 2, 20)
    assert last_trace(load_policy("imos"), date(2026, 11, 20)) == date(2027, 1, 1)
    assert last_trace(load_policy("anonymous-unlimited"), date(2026, 11, 20)) is None


def test_what_is_broken_is_told(healthy: Path, tmp_path: Path) -> None:
    """The failed check, its finding and the clause stand in it; what is overdue has its day."""
    store = copy_of(healthy, tmp_path)
    rewrite(cell(store), put("file", f"/ip/{ADDRESS}/"))
    append_deletion(store, "2026-11-15", "begun")
    found = evidence_of(store, now=datetime(2026, 11, 22, tzinfo=UTC))
    told = found.as_dict()
    outcomes = {each["key"]: each["outcome"] for each in told["generated"]["clauses"]}
    assert (outcomes["fields.file"], outcomes["fields.browser"], outcomes["keep_for"]) == ("broken", "held", "broken")
    overdue = {(each["what"], each["due"]) for each in told["generated"]["overdue"]}
    assert ("access/date=2026-11-15", "2026-11-22") in overdue
    assert found.deletions[-1].result == "not finished"
    assert not told["holds"]
    for form in FORMS:
        text = write(form, [found], NOW, version=__version__)
        assert ADDRESS not in text.replace("\\", "")
        assert "Not everything holds" in text or form == ".json"


def test_what_cannot_be_read_is_not_called_held(healthy: Path, tmp_path: Path) -> None:
    """A damaged cell breaks no clause, and its clauses hold in part: nobody knows what it held."""
    store = copy_of(healthy, tmp_path)
    cell(store).write_bytes(b"")
    found = evidence_of(store)
    outcomes = {clause.key: found.outcome(clause) for clause in found.clauses}
    assert (outcomes["fields"], outcomes["fields.file"], outcomes["fields.file.minimum"]) == ("held in part",) * 3
    assert (outcomes["purpose.share"], outcomes["raw.access"]) == ("held", "not checked")


def test_nothing_of_a_log_is_in_it(tmp_path: Path) -> None:
    """Neither a path nor a domain nor a browser that the table holds: figures only."""
    (tmp_path / "a.log").write_bytes(line(NOW, "/a-page-of-its-own/", client="p5B2C1A0B.dip0.t-ipconnect.de") * 9)
    ingest(tmp_path / "store", [tmp_path / "a.log"], policy=parse_policy(PLAIN, where="p"))
    found = evidence_of(tmp_path / "store")
    assert found.coverage.requests == 9
    for form in FORMS:
        text = write(form, [found], NOW, version=__version__)
        for value in ("a-page-of-its-own", "t-ipconnect", "Firefox"):
            assert value not in text


def test_one_pure_function(healthy: Path, evidence: Evidence) -> None:
    """The same values give the same evidence, and the same file, with the store out of reach."""
    found, status = verify(healthy, now=NOW), load_status(healthy, now=NOW)
    deletions = LocalStore.open(healthy).deletions()
    assert gather(found, status, deletions) == evidence
    assert set(found.figures) == set(FIGURES)
    for form in FORMS:
        assert write(form, [evidence], NOW, version=__version__) == write(
            form, [gather(found, status, deletions)], NOW, version=__version__
        )


# --- how it is written ------------------------------------------------------------------------------------------------


def cells_of(text: str) -> list[list[str]]:
    """The rows of all tables of a Markdown text, as a reader sees them; no markup within but code."""
    rows: list[list[str]] = []
    for token in _tokens(text):
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline" and rows and token.level > 2:
            rows[-1].append("".join(each.content for each in token.children or ()))
    return rows


def _tokens(text: str) -> list[Token]:
    return MarkdownIt("gfm-like", {"linkify": False}).enable(["table", "strikethrough"]).parse(text)


def hostile_policy() -> Policy:
    """Every text that a policy's author writes is hostile."""
    quoted = json.dumps(HOSTILE)
    text = PLAIN.replace('name = "plain"', f'name = "plain"\ntitle = {quoted}\nderived_from = {quoted}')
    parts = f"""[controller]
name = {quoted}
contact = {quoted}
[[also_expire]]
name = "dumps"
path = {json.dumps("/nowhere/" + HOSTILE.replace("/", "").replace("*", "").replace("[", ""))}
age = "1 day"
owner = {quoted}
[[hold]]
scope = "2026-01-01"
basis = {quoted}
owner = {quoted}
until = 2026-02-01
[fields]"""
    return parse_policy(text.replace("[fields]", parts), where="hostile")


def test_hostile_texts_in_markdown(tmp_path: Path) -> None:
    """They are text in their cells: no link, picture, HTML, emphasis; a reader sees each character, escapes for ESC."""
    found = evidence_of(store_under(hostile_policy(), tmp_path))
    text = write(".md", [found], NOW, version=__version__)
    kinds = {each.type for token in _tokens(text) for each in (token, *(token.children or ()))}
    assert not kinds & {"html_block", "html_inline", "link_open", "image", "em_open", "s_open", "fence", "code_block"}
    assert "\x1b" not in text
    assert "\u202e" not in text
    seen = {each for row in cells_of(text) for each in row}
    tables = [block for section in part_of(found).sections for block in section.blocks if hasattr(block, "rows")]
    wanted = {shown(each) for table in tables for row in table.rows for each in row}
    plain = {_without_code(each) for each in wanted}
    assert plain <= {_without_code(each).strip() for each in seen} | {""}
    assert any("<script>alert(1)</script>" in each for each in seen)
    assert "https\\://" in text
    assert "www\\." in text
    assert "j\\@e" in text


def _without_code(text: str) -> str:
    return re.sub("`([A-Za-z0-9 _.{}\\[\\]-]+)`", "\\1", text).strip()


@pytest.mark.parametrize(
    "text",
    ["- a", "+ a", "1. a", "12) a", "# a", "=== a", "--- ", "> a", "    a", "| a |", "a\nb", "[a]: /b", "~~~", "```"],
)
def test_a_text_begins_no_block(text: str) -> None:
    """At the beginning of a paragraph, too, it is a paragraph of that text."""
    tokens = [each for each in _tokens(escape(text)) if each.nesting >= 0]
    assert [each.type for each in tokens] == ["paragraph_open", "inline"], escape(text)
    assert tokens[1].content
    assert "".join(each.content for each in tokens[1].children or ()) == shown(text).strip()


@settings(max_examples=250)
@given(st.text("\\`*_{}[]()#+-.!|<>~^=$&@:/;'\" ab12\t\n\x1b\u00a0ä", max_size=30))
def test_any_text_is_text(text: str) -> None:
    """In a paragraph and in a cell of a table a reader sees the text, and no element of Markdown."""
    wanted = _without_code(" ".join(shown(text).split(" "))).strip(" ")
    table = f"| a | b |\n|---|---|\n| {escape(text)} | x |"
    assert [_without_code(each) for each in cells_of(table)[-1]] == [wanted.strip(), "x"]
    if wanted.strip():
        (inline,) = [each for each in _tokens(escape(text)) if each.type == "inline"]
        assert _without_code("".join(each.content for each in inline.children or ())) == wanted.strip()
        assert {each.type for each in inline.children or ()} <= {"text", "text_special", "code_inline"}


def test_the_json(evidence: Evidence) -> None:
    """One object with its version; what is generated and what is attested are apart, and nothing is in both."""
    told = json.loads(write(".json", [evidence], NOW, version=__version__))
    assert (told["evidence"], len(told["stores"])) == (1, 1)
    (one,) = told["stores"]
    assert {"generated", "attested", "limits", "holds", "sha256", "uuid"} <= set(one)
    assert [check["id"] for check in one["generated"]["checks"]] == list(CHECKS)
    concept = [{each["data_type"] for each in one[part]["deletion_concept"]} for part in ("generated", "attested")]
    assert not concept[0] & concept[1]
    assert any(each["open"] for each in one["attested"]["record_of_processing"])
    assert all(each["says"] for each in one["generated"]["record_of_processing"])


def test_what_is_open_is_marked(evidence: Evidence) -> None:
    """In the document each open item begins so, and none of them stands among what was generated."""
    sections = part_of(evidence).sections
    texts: dict[str, list[str]] = {"generated": [], "attested": [], "": []}
    for section in sections:
        for block in section.blocks:
            texts[section.of] += [each for row in getattr(block, "rows", ()) for each in row]
    assert sum(OPEN in each for each in texts["attested"]) >= 10
    owners = [each for each in texts["generated"] if OPEN in each]
    assert set(owners) == {f"{OPEN}who answers for it"}


# --- the command ------------------------------------------------------------------------------------------------------


def verify_with(command: Inside, store: object, out: object, *words: object) -> Any:
    return command("verify", "--store", store, "--now", NOW.isoformat(), "--report", out, *words)


@pytest.mark.parametrize("form", FORMS)
def test_the_file(form: str, healthy: Path, tmp_path: Path) -> None:
    """Written whole, 0600, beside what is printed; exit 0; a second time it takes the first one's place."""
    command = Inside(tmp_path)
    out = tmp_path / f"out{form}"
    done = verify_with(command, healthy, out)
    assert (done.code, done.err) == (0, "")
    assert "checks hold" in done.out
    first = out.read_text()
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert verify_with(command, healthy, out, "--json").json["holds"]
    assert out.read_text() == first
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".out")] == []


def test_the_exit_code_is_that_of_the_checks(healthy: Path, tmp_path: Path) -> None:
    """1 with a finding, and the file is there."""
    store = copy_of(healthy, tmp_path)
    cell(store).chmod(0o644)
    done = verify_with(Inside(tmp_path), store, "out.json", "--quiet")
    assert done.code == 1
    assert not json.loads((tmp_path / "out.json").read_text())["stores"][0]["holds"]


def test_where_it_is_not_written(healthy: Path, tmp_path: Path) -> None:
    """Another ending is 2; inside the store, a link, a directory 78; where nothing can be made 73. Nothing is left."""
    store, command = copy_of(healthy, tmp_path), Inside(tmp_path)
    (tmp_path / "target.html").write_text("mine")
    (tmp_path / "link.html").symlink_to("target.html")
    (tmp_path / "folder.html").mkdir()
    for out, code in (
        ("out.txt", 2),
        (store / "access/out.html", 78),
        (store / "out.json", 78),
        ("link.html", 78),
        ("folder.html", 78),
        ("none/out.md", 73),
    ):
        assert verify_with(command, store, out, "--quiet").code == code, out
    assert (tmp_path / "target.html").read_text() == "mine"
    assert verify(store, now=NOW).holds
    assert not (tmp_path / "out.txt").exists()


def test_many_stores(healthy: Path, tmp_path: Path) -> None:
    """One file with a part for each store of the configuration; of one that cannot be read it says why."""
    for name in ("good", "lost"):
        copy_of(healthy, tmp_path).rename(tmp_path / name)
    (tmp_path / "lost/_loganon/state.json").write_bytes(b"{")
    (tmp_path / "loganon.toml").write_text(
        "".join(f'[[input]]\nlogs = "{name}.log"\nstore = "{name}"\n' for name in ("good", "lost", "coming"))
    )
    words = ("--config", "loganon.toml", "--now", NOW.isoformat(), "--quiet")
    command = Inside(tmp_path)
    assert command("verify", *words, "--report", "out.json").code == 74
    good, lost = json.loads((tmp_path / "out.json").read_text())["stores"]
    assert good["holds"]
    assert "damaged" in lost["error"]
    assert command("verify", *words, "--report", "out.md").code == 74
    text = (tmp_path / "out.md").read_text()
    assert text.count("\n## Store ") == 2
    assert "could not be read" in text


def test_on_the_sample_log(tmp_path: Path) -> None:
    """What the README's policy leaves of a day's log, as a newcomer makes it."""
    command = Inside(tmp_path)
    words = ("--provider-db", SAMPLES / "providers.mmdb", "--now", SAMPLE_NOW, "--quiet")
    assert command("run", SAMPLES / "shop.access.log", "--store", "s", *words).code == 0
    assert command("verify", "--store", "s", "--now", SAMPLE_NOW, "--quiet", "--report", "out.json").code == 0
    (found,) = json.loads((tmp_path / "out.json").read_text())["stores"]
    coverage = found["generated"]["coverage"]
    assert (coverage["requests"], coverage["lines"]["done"]) == (3000, 3000)
    assert coverage["databases"][0][1:] == ["2026-11-20", 1]
    assert set(coverage["lists"]) == {"agents", "known_providers", "provider_db_1", "public_suffixes"}
    file_in(tmp_path / "s", "stranger")
    assert command("verify", "--store", "s", "--now", SAMPLE_NOW, "--quiet", "--report", "out.json").code == 1


def test_the_page_of_the_documentation(evidence: Evidence) -> None:
    """`docs/evidence.md` names each section with its kind, each item of Art. 30 and each result of a deletion."""
    page = (Path(__file__).parents[1] / "docs" / "evidence.md").read_text("utf-8")
    for section in part_of(evidence).sections:
        assert f"| {section.title} | {section.of}{' ' if section.of else ''}| " in page
    for item in evidence.record:
        assert f"| {item.reference} " in page
    for result in ("unlinked, directory synced", "not finished", "gone; the end was not recorded"):
        assert f'"{result}"' in page
    picture = Path(__file__).parents[1] / "docs" / "images" / "evidence.png"
    assert 50_000 < picture.stat().st_size < 300_000
    assert "docs/evidence.md" in (Path(__file__).parents[1] / "README.md").read_text("utf-8")
