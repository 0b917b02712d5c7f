"""`verify` names the clause that is broken: each enforced or verified rule of each policy is broken, one by one."""

from __future__ import annotations

import json
import shutil
from functools import cache
from pathlib import Path

import pytest

from loganon.policy import Policy, bundled, load_policy, parse_policy
from loganon.policy.clauses import RULES, SILENT, Clause, Kind, clauses_of, rule_of
from loganon.policy.outline import known_keys
from loganon.verify import CHECKS, verify
from loganon.verify.clauses import altered
from support.breaks import BREAKS, Case, breaks_of, make_store
from support.cli import Inside
from support.runs import NOW

FULL = """
name = "full"
version = 1
valid_from = 2026-11-21
keep_for = "6 weeks"
[consent]
require = ["cookie"]
[scope]
sites = ["www.shop.example"]
[[also_expire]]
name = "dumps"
path = "/srv/dumps/dump-*.gz"
age = "10 days"
owner = "operations"
action = "delete"
[[hold]]
scope = "2026-11-20"
basis = "a claim"
owner = "legal"
until = 2027-03-01
use = false
[fields]
domain   = { as = "provider", known = ["example.com"], minimum = 5 }
network  = { as = "truncated", v4 = 24, v6 = 48, minimum = 5 }
time     = { as = "hour" }
file     = { as = "path", routes = ["/a", "/b/*"], minimum = 5 }
browser  = { as = "family+major", minimum = 5 }
success  = { as = "flag" }
bytes    = { as = "sum" }
method   = { as = "list", minimum = 5 }
protocol = { as = "list", minimum = 5 }
status   = { as = "number", minimum = 5 }
referrer = { as = "domain", known = ["example.com"], minimum = 5 }
system   = { as = "family", minimum = 5 }
country  = { as = "code", minimum = 5 }
host     = { as = "site" }
response_time = { as = "sum" }
"""
"""Every rule that a policy can have, besides those that come along."""
NAMES = (*bundled(), "full")


@cache
def text_of(name: str) -> str:
    return FULL if name == "full" else bundled()[name]


def policy_of(name: str, folder: Path) -> Policy:
    """The policy, with its dated files below a folder of the test."""
    text = text_of(name)
    for root in ("/srv/", "/var/backups/"):
        text = text.replace(f'"{root}', f'"{folder.resolve()}/')
    return parse_policy(text, where=name)


CLAUSES = [(name, clause) for name in NAMES for clause in clauses_of(policy_of(name, Path("/x")))]
KEPT = [(name, clause) for name, clause in CLAUSES if clause.kinds != (Kind.ATTESTED,)]


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Case]:
    """A healthy store under each policy."""
    found = {}
    for name in NAMES:
        folder = tmp_path_factory.mktemp(name)
        policy = policy_of(name, folder / "dated")
        found[name] = Case(make_store(folder, policy), policy, folder)
        answer = verify(found[name].store, now=NOW)
        assert answer.holds, (name, answer.errors)
    return found


def test_every_key_is_a_clause_or_silent() -> None:
    """A key of the model has a rule, or is listed as one that promises nothing by itself; no rule is of no key."""
    leaves = [key.path for key in known_keys() if not key.takes.startswith(("a table", "tables"))]
    assert [key for key in leaves if key not in SILENT and rule_of(key) is None] == []
    known = {*leaves, "fields"} | {f"fields.*.{key.rpartition('.')[2]}" for key in leaves if key.startswith("fields.")}
    assert set(RULES) | SILENT <= known
    assert not set(RULES) & SILENT


def test_every_rule_has_a_break() -> None:
    """A clause that loganon enforces or verifies, and for which nothing is planted below, is not shown to be kept."""
    assert [(name, clause.key) for name, clause in KEPT if breaks_of(clause) is None] == []
    used = {id(breaks_of(clause)) for _, clause in KEPT}
    assert [key for key, plant in BREAKS.items() if id(plant) not in used] == []
    assert {check for _, clause in CLAUSES for check in clause.rule.checks} <= set(CHECKS)


def test_a_check_stands_with_the_clauses_that_it_names() -> None:
    """What a finding names by its check alone is a clause that lists this check; one that lists none is damage."""
    checks = {clause.key: clause.rule.checks for name, clause in CLAUSES if name == "imos"}
    assert [(check, key) for check, each in CHECKS.items() for key in each.clauses if check not in checks[key]] == []
    unnamed = {check for check, each in CHECKS.items() if not each.clauses}
    listed = {check for _, clause in CLAUSES for check in clause.rule.checks}
    assert unnamed - listed == {"conservation", "readable", "rows", "records", "generations", "journal", "quarantine"}


@pytest.mark.parametrize(("name", "clause"), KEPT, ids=[f"{name} {clause.key}" for name, clause in KEPT])
def test_a_broken_clause_is_named(name: str, clause: Clause, stores: dict[str, Case], tmp_path: Path) -> None:
    """`verify` fails and a finding names the clause; of one that is verified it is a finding of its checks."""
    healthy = stores[name]
    case = Case(Path(shutil.copytree(healthy.store, tmp_path / "copy", symlinks=True)), healthy.policy, healthy.folder)
    plant = breaks_of(clause)
    assert plant is not None
    try:
        plant(case, clause)
        found = verify(case.store, now=case.now, raw=case.raw)
    finally:
        shutil.rmtree(healthy.folder / "dated", ignore_errors=True)
    named = {check.id for check in found.broken for each in check.findings if clause.key in each.clauses}
    assert named, [str(error) for error in found.errors]
    assert named & {*(clause.rule.checks or ("policy", "values"))}
    assert any(clause.key in str(error) for error in found.errors)


def comments_of(text: str) -> dict[str, str]:
    """By table (or key before the first): the comments right above it, together."""
    found: dict[str, str] = {}
    above: list[str] = []
    for line in text.splitlines():
        if line.startswith("#"):
            above.append(line.lstrip("# ").lower())
            continue
        if line.startswith("["):
            name = line.partition("]")[0].strip("[")
            found[name] = found.get(name, "") + "\n".join(above)
        elif "=" in line and not found.keys() - {"keep_for"}:
            found["keep_for"] = "\n".join(above) if line.startswith("keep_for") else ""
        above = []
    return found


@pytest.mark.parametrize("name", bundled())
def test_the_policy_s_file_says_the_same(name: str) -> None:
    """The kinds of a table's clauses stand in the comment over it."""
    said = comments_of(text_of(name))
    kinds: dict[str, set[str]] = {}
    for clause in clauses_of(load_policy(name)):
        kinds.setdefault(clause.key.split(".")[0].split(' "')[0], set()).update(clause.kinds)
    for table, wanted in kinds.items():
        if table not in ("version", "controller"):
            assert [str(kind) for kind in wanted if kind not in said[table]] == [], table


def test_what_was_altered_is_found_by_its_hash() -> None:
    """A key of few values is named, in a table of tables, too; two keys at once are not guessed."""
    policy = parse_policy(FULL, where="p")
    for old, new, key in (
        ('require = ["cookie"]', "require = []", "consent.require"),
        ("use = false", "use = true", 'hold "2026-11-20".use'),
        ('action = "delete"', 'action = "report"', 'also_expire "dumps".action'),
        ("[fields]", '[purpose]\nshare = "anonymous"\n[fields]', "purpose.share"),
    ):
        other = parse_policy(FULL.replace(old, new, 1), where="p")
        assert altered(other, policy.sha256) == (key,)
        assert altered(policy, other.sha256) == (key,)
    both = parse_policy(FULL.replace("use = false", "use = true").replace('"delete"', '"report"'), where="p")
    assert altered(both, policy.sha256) == ()
    assert altered(parse_policy(FULL.replace("6 weeks", "7 weeks"), where="p"), policy.sha256) == ()


def test_the_command_names_the_clause(stores: dict[str, Case], tmp_path: Path) -> None:
    """On standard error behind what is wrong, and in the JSON with each finding; damage breaks no clause."""
    copy = Path(shutil.copytree(stores["imos"].store, tmp_path / "copy", symlinks=True))
    case = Case(copy, stores["imos"].policy, tmp_path)
    case.cell().chmod(0o644)
    done = Inside(tmp_path)("verify", "--store", copy, "--now", NOW.isoformat(), "--json")
    assert done.code == 1
    done.message("mode 0644 instead of 0600; this breaks purpose.share")
    (check,) = (each for each in done.json["checks"] if each["findings"])
    assert check["findings"][0]["clauses"] == ["purpose.share"]
    case.cell().write_bytes(b"")
    found = verify(copy, now=NOW)
    assert {each.clauses for check in found.broken for each in check.findings if check.id == "readable"} == {()}
    assert json.dumps(found.as_dict())
