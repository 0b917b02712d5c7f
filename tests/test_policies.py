"""The policies that come along, carried out on the same sample log; and the rules that they need besides the table."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from loganon.policy import PolicyError, bundled, from_canonical, load_policy, parse_policy
from loganon.policy.changes import compare
from loganon.strictness import Direction
from support.cli import SAMPLE_NOW, SAMPLES, Inside
from support.runs import PLAIN, days, line, table_of

LOG = SAMPLES / "shop.access.log"
PROVIDERS = SAMPLES / "providers.mmdb"
SIX = ["time", "domain", "file", "browser", "browser_version", "success", "requests", "bytes"]
STORED = {
    "imos": (SIX, 42),
    "six-weeks": (SIX, 42),
    "truncated": (["time", "network", *SIX[2:]], 42),
    "by-category": (SIX, 365),
    "with-backups": (SIX, 365),
    "anonymous-unlimited": (SIX, 0),
    "raw-then-statistics": (SIX, 365),
}
FIRST = date(2026, 11, 18)
"""The oldest day of the sample log."""


@pytest.fixture
def command(tmp_path: Path) -> Inside:
    """The command in a folder of its own."""
    return Inside(tmp_path)


def test_each_is_here() -> None:
    """Every policy that comes along has a test below."""
    assert set(STORED) == set(bundled())


@pytest.mark.parametrize("name", list(STORED))
def test_on_the_sample_log(command: Inside, name: str) -> None:
    """What is stored, for how long, and what is refused."""
    columns, age = STORED[name]
    words = ("--policy", name, "--store", "s", "--provider-db", PROVIDERS, "--now", SAMPLE_NOW)
    done = command("run", LOG, *words, "--quiet")
    assert done.code == 0, done.err
    store = command.folder / "s"
    table = table_of(store)
    assert table.column_names == columns
    assert sum(table["requests"].to_pylist()) == 3000
    assert days(store)[0] == FIRST.isoformat()
    assert command("verify", "--store", "s", "--now", SAMPLE_NOW, "--quiet").code == 0
    check_refusals(command, name)
    goes = FIRST + timedelta(days=age)
    last = f"{goes - timedelta(days=1)}T23:59:59Z"
    step = ("--accept-cutoff", goes.isoformat(), "--json")
    if not age:
        found = command("retain", "--store", "s", "--now", "2036-11-21T00:00:00Z", "--json").json
        assert (found["plan"], found["partitions_dropped"]) == ([], [])
        return
    kept = command("retain", "--store", "s", "--now", last, *step).json
    assert (kept["partitions_dropped"], kept["cutoff"]) == ([], FIRST.isoformat())
    gone = f"{goes}T00:00:00Z"
    assert command("retain", "--store", "s", "--now", gone, *step).json["partitions_dropped"] == [FIRST.isoformat()]
    (command.folder / "late.log").write_bytes(line(datetime(FIRST.year, FIRST.month, FIRST.day, 8, tzinfo=UTC)))
    late = command("run", "late.log", "--store", "s", "--now", gone, "--json").json
    assert (late["counted"], late["rejected"]["expired"]) == (0, 1)


def check_refusals(command: Inside, name: str) -> None:
    """Evaluation where the policy forbids it, with its clause; another policy; what loosens; what it shares."""
    report = command("report", "--store", "s", "--now", SAMPLE_NOW, "--json")
    if name == "imos":
        assert (report.code, report.out) == (78, "")
        report.message("purpose.evaluate")
    else:
        assert report.code == 0, report.err
        assert report.json
    other = "six-weeks" if name == "imos" else "imos"
    words = ("--store", "s", "--now", SAMPLE_NOW, "--quiet")
    refused = command("run", LOG, "--policy", other, *words)
    assert (refused.code, "policy" in refused.err) == (78, True)
    text = bundled()[name]
    for looser, key in (
        (text.replace("minimum = 5 }", "minimum = 4 }", 1), "fields.file.minimum"),
        (text.replace("evaluate = false", "evaluate = true"), "purpose.evaluate"),
        (text.replace('share    = "none"', 'share    = "anonymous"'), "purpose.share"),
    ):
        (command.folder / "looser.toml").write_text(looser)
        done = command("policy", "apply", "s", "looser.toml", "--now", SAMPLE_NOW, "--quiet")
        assert done.code == (0 if looser == text else 78), done.err
        assert looser == text or f"looser in {key}" in done.err


def test_what_each_refuses() -> None:
    """A shortened address is never kept for ever; consent, ages and backups are as the policies say."""
    text = bundled()["truncated"].replace('"6 weeks"', '"unlimited"')
    with pytest.raises(PolicyError, match=r"fields\.network is\s+shortened, not certified anonymous"):
        parse_policy(text, where="p")
    anonymous = load_policy("anonymous-unlimited")
    assert (anonymous.consent.require, anonymous.consent.exclude_when) == (("cookie",), ("DNT", "Sec-GPC"))
    ages = {entry.name: str(entry.age) for entry in load_policy("by-category").also_expire}
    assert ages == {
        "video": "60 days",
        "offer-consents": "4 years",
        "availability-notices": "1 year",
        "warranties": "1 year",
        "accounting": "10 years",
    }
    (backups,) = load_policy("with-backups").also_expire
    assert backups.copies
    assert not any(entry.action == "delete" for name in bundled() for entry in load_policy(name).also_expire)
    without = bundled()["with-backups"].replace('age   = "3 months"\n', "")
    with pytest.raises(PolicyError, match=r"also_expire\[1\]\.age is missing"):
        parse_policy(without, where="p")


def test_consent_where_the_log_shows_it(command: Inside) -> None:
    """`anonymous-unlimited` counts no access without a cookie or with a signal, and stores neither."""
    fmt = 'apache:%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i" "%{Cookie}i" "%{DNT}i" "%{Sec-GPC}i"'
    shown = ('"c=1" "-" "-"', '"-" "-" "-"', '"c=1" "1" "-"', '"c=1" "0" "1"', '"c=2" "0" "0"')
    base = line(datetime(2026, 11, 20, 8, tzinfo=UTC)).decode().rstrip("\n")
    (command.folder / "a.log").write_text("".join(f"{base} {each}\n" for each in shown))
    words = ("--policy", "anonymous-unlimited", "--store", "s", "--format", fmt, "--now", SAMPLE_NOW, "--json")
    found = command("run", "a.log", *words).json
    assert (found["counted"], found["rejected"]["no_consent"]) == (2, 3)


# --- [scope] --------------------------------------------------------------------------------------------------------


def with_(text: str, base: str = PLAIN) -> str:
    """The policy with a further part."""
    return base.replace("[fields]", f"{text}\n[fields]")


def test_scope(command: Inside) -> None:
    """Lines of other hosts are `excluded` where the log shows the host, whatever its spelling; else all are counted."""
    (command.folder / "p.toml").write_text(with_('[scope]\nsites = ["a.example"]'))
    base = line(datetime(2026, 11, 20, 8, tzinfo=UTC)).decode()
    hosts = (
        "a.example:443",
        "A.Example.:80",
        "b.example:443",
        "xa.example:80",
        "192.0.2.7:80",
        "a.example.b.example:1",
    )
    (command.folder / "a.log").write_text("".join(f"{host} {base}" for host in hosts))
    words = ("--policy", "./p.toml", "--store", "s", "--now", SAMPLE_NOW, "--json")
    found = command("run", "a.log", "--format", "combined_vhost", *words).json
    assert (found["counted"], found["rejected"]["excluded"]) == (2, 4)
    (command.folder / "b.log").write_text(base * 3)
    found = command("run", "b.log", "--format", "combined", *words).json
    assert (found["counted"], found["rejected"]["excluded"]) == (3, 0)


# --- [[also_expire]] ------------------------------------------------------------------------------------------------

ENTRY = """[[also_expire]]
name = "backups"
path = "FOLDER/db-*.gz"
age = "10 days"
owner = "operations"
action = "delete"
"""


def store_with(command: Inside, text: str) -> Path:
    """A store under the plain policy with `text`; FOLDER is the folder of the dated files."""
    folder = command.folder / "dated"
    folder.mkdir(exist_ok=True)
    (command.folder / "p.toml").write_text(with_(text.replace("FOLDER", str(folder.resolve()))))
    (command.folder / "a.log").write_bytes(line(datetime(2026, 11, 20, 8, tzinfo=UTC)))
    done = command("run", "a.log", "--policy", "./p.toml", "--store", "s", "--now", SAMPLE_NOW, "--quiet")
    assert done.code == 0, done.err
    return folder


def retain(command: Inside, *words: str, now: str = SAMPLE_NOW) -> dict[str, object]:
    return command("retain", "--store", "s", "--now", now, "--json", *words).json


def test_only_what_is_named_goes(command: Inside) -> None:
    """Past its age by the date in its whole matching name; the plan says so first, and changes nothing."""
    folder = store_with(command, ENTRY)
    stay = ("db-2026-11-12.gz", "db-20200102.gz.bak", "xdb-2020-01-01.gz", "db-none.gz", "db-2020-01-01-2021-01-01.gz")
    stay += ("db-00011012.gz", "db-1801012345.gz")  # a serial number, and seconds since 1970 of the year 2027
    go = ("db-2026-11-11.gz", "db-20200101.gz")
    for name in (*stay, *go):
        (folder / name).write_text("x")
    (folder / "db-2020-01-02.gz").mkdir()
    (folder / "db-2020-01-02.gz" / "db-2020-01-01.gz").write_text("x")
    (command.folder / "outside").write_text("x")
    (folder / "db-2020-01-03.gz").symlink_to(command.folder / "outside")
    before = sorted(folder.rglob("*"))
    planned = retain(command, "--dry-run")
    assert sorted(Path(each["path"]).name for each in planned["also_expire"]) == sorted(go)
    assert sorted(folder.rglob("*")) == before
    done = retain(command)
    assert all(each["deleted"] for each in done["also_expire"])
    assert sorted(folder.rglob("*")) == [path for path in before if path.name not in go or path.parent != folder]
    assert (command.folder / "outside").exists()


def test_a_name_that_is_no_text_goes_too(command: Inside) -> None:
    """A file is deleted by its own name, whatever bytes that has; it is shown with escapes."""
    folder = store_with(command, ENTRY)
    for name in (b"db-2020-01-05\x01.gz", b"db-2020-01-06\xff.gz"):
        (folder / os.fsdecode(name)).write_text("x")
    done = retain(command)
    assert all(each["deleted"] for each in done["also_expire"])
    assert sorted(str(each["path"]).rpartition("/")[2] for each in done["also_expire"]) == [
        "db-2020-01-05\\x01.gz",
        "db-2020-01-06\\udcff.gz",
    ]
    assert not list(folder.iterdir())


def test_reported_and_not_deleted(command: Inside) -> None:
    """`verify` and `status --check` name what is overdue; `run` and `retain` leave it."""
    folder = store_with(command, ENTRY.replace('"delete"', '"report"'))
    path = folder / "db-2026-11-11.gz"
    path.write_text("x")
    assert retain(command)["also_expire"][0]["deleted"] is False
    assert path.exists()
    for words in (("verify",), ("status", "--check")):
        done = command(*words, "--store", "s", "--now", SAMPLE_NOW)
        assert done.code == 1
        assert "db-2026-11-11.gz" in done.err + done.out
        assert command(*words, "--store", "s", "--now", "2026-11-20T23:00:00Z").code == 0


def test_by_the_last_change(command: Inside) -> None:
    """`start = "modified"` goes by the day of the last change, whatever the name says."""
    folder = store_with(command, ENTRY + 'start = "modified"\n')
    old, new = folder / "db-2030-01-01.gz", folder / "db-2020-01-01.gz"
    for path, day in ((old, 11), (new, 12)):
        path.write_text("x")
        os.utime(path, (datetime(2026, 11, day, 23, tzinfo=UTC).timestamp(),) * 2)
    retain(command)
    assert (old.exists(), new.exists()) == (False, True)


@pytest.mark.parametrize("moment", [10**12, -(10**12)])
def test_a_last_change_of_no_year_of_the_calendar(moment: int, command: Inside, far_off: Path) -> None:
    """Some file systems keep changes of a year beyond 9999, or before 1: such a file stays and is named, and keeps no
    other from going at its age."""
    store_with(command, ENTRY.replace("FOLDER", str(far_off)) + 'start = "modified"\n')
    odd, old = far_off / "db-1.gz", far_off / "db-2.gz"
    for path, changed in ((odd, moment), (old, 10**9)):
        path.write_text("x")
        os.utime(path, (changed, changed))
    done = command("retain", "--store", "s", "--now", SAMPLE_NOW, "--json")
    assert (done.code, odd.exists(), old.exists()) == (0, True, False), done.err
    for words in (("verify",), ("status", "--check")):
        done = command(*words, "--store", "s", "--now", SAMPLE_NOW)
        assert (done.code, f"{odd}" in done.err) == (1, True)
        assert "was last changed in no year of the calendar" in done.err


@pytest.mark.parametrize("age", ["6 weeks", "unlimited"])
def test_a_clock_that_is_not_believed_deletes_nothing(command: Inside, age: str) -> None:
    """Years ahead, or behind the last commit: no file goes (1), whatever the age of the table, until it is accepted."""
    folder = command.folder / "dated"
    folder.mkdir()
    text = with_(ENTRY.replace("FOLDER", str(folder.resolve()))).replace('"6 weeks"', f'"{age}"')
    (command.folder / "p.toml").write_text(text)
    (command.folder / "a.log").write_bytes(line(datetime(2026, 11, 20, 8, tzinfo=UTC)))
    words = ("--store", "s", "--quiet")
    assert command("run", "a.log", "--policy", "./p.toml", "--now", SAMPLE_NOW, *words).code == 0
    path = folder / "db-2026-11-20.gz"
    path.write_text("x")
    for now in ("2036-11-21T06:00:00Z", "2026-11-10T06:00:00Z"):
        for verb in (("retain",), ("run", "a.log")):
            done = command(*verb, "--now", now, *words)
            assert (done.code, path.exists()) == (1, True), (verb, now)
            assert "clock" in done.err
        assert "clock" in command("status", "--store", "s", "--check", "--now", now).err
    accepted = ("--accept-cutoff", "2036-11-21")
    assert command("retain", "--now", "2036-11-21T06:00:00Z", *words, *accepted).code == 0
    assert not path.exists()


def test_a_store_that_is_idle_and_runs_is_believed(command: Inside) -> None:
    """The clock of each run is known, also where nothing was counted and nothing expires: one that goes on from it is
    no step, however long ago the last line came. One that was accepted is accepted for good."""
    folder = command.folder / "dated"
    folder.mkdir()
    text = with_(ENTRY.replace("FOLDER", str(folder.resolve()))).replace('"6 weeks"', '"unlimited"')
    (command.folder / "p.toml").write_text(text)
    (command.folder / "a.log").write_bytes(line(datetime(2026, 11, 20, 8, tzinfo=UTC)))
    words = ("--store", "s", "--quiet")
    assert command("run", "a.log", "--policy", "./p.toml", "--now", SAMPLE_NOW, *words).code == 0
    for now in ("2026-12-31T06:00:00Z", "2027-02-09T06:00:00Z"):
        path = folder / f"db-{now[:4]}-01-01.gz"
        path.write_text("x")
        done = command("retain", "--now", now, *words)
        assert (done.code, done.err, path.exists()) == (0, "", False)
    (command.folder / "empty.log").touch()
    early = ("--now", "2026-12-31T06:00:00Z", *words)
    assert command("retain", *early).code == 1
    assert command("run", "empty.log", *early, "--accept-clock").code == 0
    assert command("retain", *early).code == 0


def test_no_link_is_on_the_way(command: Inside) -> None:
    """A directory that is a link, or lies behind one, is not entered; nor is the store."""
    real = command.folder / "real"
    real.mkdir()
    (real / "db-2020-01-01.gz").write_text("x")
    (command.folder / "link").symlink_to(real)
    store_with(command, ENTRY.replace("FOLDER", str(command.folder.resolve() / "link")))
    assert retain(command)["also_expire"] == []
    assert (real / "db-2020-01-01.gz").exists()
    assert "is a link" in command("status", "--check", "--store", "s", "--now", SAMPLE_NOW).err


def test_the_store_is_no_place_for_them(command: Inside) -> None:
    """Nothing of the store is deleted by a pattern, though it matches."""
    where = command.folder.resolve() / "s" / "_loganon"
    store_with(
        command,
        ENTRY.replace("FOLDER/db-*.gz", f"{where}/stor*.json").replace('"delete"', '"delete"\nstart = "modified"'),
    )
    retain(command, now="2026-12-31T00:00:00Z")
    assert (where / "store.json").exists()


# --- [[hold]] -------------------------------------------------------------------------------------------------------

HOLD = """[[hold]]
scope = "2026-11-20"
basis = "a claim"
owner = "legal"
until = 2027-03-01
"""


def test_a_held_day_stays_until_the_hold_ends(command: Inside) -> None:
    """The cutoff moves, the partition stays and is named; when the hold has ended it goes, and the hold is reported."""
    store_with(command, HOLD)
    late = ("--now", "2027-02-28T23:00:00Z")
    found = retain(command, "--accept-cutoff", "2027-02-28", now="2027-02-28T23:00:00Z")
    assert (found["held"], found["partitions_dropped"], found["cutoff"]) == (["2026-11-20"], [], "2027-01-18")
    assert found["plan"] == []
    assert days(command.folder / "s") == ["2026-11-20"]
    done = command("verify", "--store", "s", *late)
    assert (done.code, "held until 2027-03-01" in done.out) == (0, True), done.out + done.err
    status = command("status", "--store", "s", "--check", "--json", *late)
    assert (status.code, status.json["held"], status.json["overdue"]) == (0, ["2026-11-20"], [])
    again = command("run", "a.log", "--store", "s", "--json", *late).json
    assert again["counted"] == 0
    found = retain(command, now="2027-03-01T00:00:00Z")
    assert (found["held"], found["partitions_dropped"]) == ([], ["2026-11-20"])
    for words in (("verify",), ("status", "--check")):
        done = command(*words, "--store", "s", "--now", "2027-03-01T00:00:00Z")
        assert done.code == 1
        assert "the hold on 2026-11-20 ended on 2027-03-01" in done.out + done.err


def test_a_held_day_before_the_cutoff_goes_as_its_hold_ends(command: Inside) -> None:
    """Where a lead moved the cutoff past a held day, the day goes when the hold ends, before its age comes; `status`
    says so."""
    store_with(command, HOLD.replace("2027-03-01", "2026-12-31"))
    found = retain(command, "--lead", "5d", now="2026-12-30T01:00:00Z")  # its age comes on 1 January
    assert (found["held"], found["partitions_dropped"]) == (["2026-11-20"], [])
    status = command("status", "--store", "s", "--json", "--now", "2026-12-30T02:00:00Z").json
    assert status["next_deletion"] == {"partition": "2026-11-20", "on": "2026-12-31"}
    assert retain(command, now="2026-12-31T00:00:00Z")["partitions_dropped"] == ["2026-11-20"]


def test_a_lead_ends_no_hold(command: Inside) -> None:
    """What is deleted ahead of its age is not deleted ahead of a hold's end: no day, and no file."""
    folder = store_with(command, ENTRY + HOLD + HOLD.replace('"2026-11-20"', '"backups"'))
    path = folder / "db-2027-02-19.gz"
    path.write_text("x")
    late = ("--accept-cutoff", "2027-02-28", "--lead", "48h")
    found = retain(command, *late, now="2027-02-28T23:00:00Z")
    assert (found["held"], found["also_expire"][0]["due"]) == (["2026-11-20"], "2027-03-01")
    assert path.exists()
    retain(command, now="2027-03-01T00:00:00Z")
    assert not path.exists()


def test_a_hold_on_dated_files(command: Inside) -> None:
    """The files of an `also_expire` stay until the hold on its name ends."""
    folder = store_with(command, ENTRY + HOLD.replace('"2026-11-20"', '"backups"'))
    path = folder / "db-2020-01-01.gz"
    path.write_text("x")
    assert retain(command)["also_expire"][0]["held"] == "2027-03-01"
    assert path.exists()
    assert command("verify", "--store", "s", "--now", SAMPLE_NOW).code == 0
    retain(command, "--accept-cutoff", "2027-03-01", now="2027-03-01T00:00:00Z")
    assert not path.exists()


def test_a_hold_comes_to_a_standing_store(command: Inside) -> None:
    """It loosens, so that it is refused (78), but for --accept-hold; its end needs none; nothing else comes with it."""
    store_with(command, "")
    (command.folder / "h.toml").write_text(with_(HOLD))
    words = ("policy", "apply", "s", "h.toml", "--now", SAMPLE_NOW)
    refused = command(*words)
    assert (refused.code, "--accept-hold" in refused.err) == (78, True)
    (command.folder / "l.toml").write_text(with_(HOLD).replace("6 weeks", "7 weeks"))
    assert command("policy", "apply", "s", "l.toml", "--now", SAMPLE_NOW, "--accept-hold").code == 78
    assert command(*words, "--accept-hold").code == 0
    assert command("policy", "apply", "s", "p.toml", "--now", SAMPLE_NOW).code == 0


def test_the_end_of_a_hold_that_closes_days_to_use(command: Inside) -> None:
    """While it stands its end loosens, since the days may be used again: 78 but for --accept-hold; once it has ended
    it is taken out without.
    """
    closed = with_(HOLD + "use = false\n")
    store_with(command, HOLD + "use = false\n")
    (command.folder / "n.toml").write_text(with_(""))
    (command.folder / "e.toml").write_text(closed.replace("2027-03-01", "2027-02-01"))
    for new in ("n.toml", "e.toml"):
        refused = command("policy", "apply", "s", new, "--now", SAMPLE_NOW)
        assert (refused.code, "--accept-hold" in refused.err) == (78, True)
    old, new = (parse_policy(text, where="a") for text in (closed, with_("")))
    assert [change.direction for change in compare(old, new, date(2027, 2, 28))] == [Direction.LOOSER]
    assert [change.direction for change in compare(old, new, date(2027, 3, 1))] == [Direction.TIGHTER]
    assert command("policy", "apply", "s", "n.toml", "--now", SAMPLE_NOW, "--accept-hold").code == 0


def test_stored_and_not_used() -> None:
    """`use = false` closes the days to evaluation for as long as the hold stands."""
    policy = parse_policy(with_(HOLD + "use = false\n"), where="p")
    day, before, after = date(2026, 11, 20), date(2027, 2, 28), date(2027, 3, 1)
    assert (policy.closed(day, before), policy.closed(day, after), policy.closed(date(2026, 11, 21), before)) == (
        True,
        False,
        False,
    )
    assert not parse_policy(with_(HOLD), where="p").closed(day, before)
    assert from_canonical(policy.canonical, where="s") == policy


# --- mistakes and changes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        ('age = "10 days"\n', "", "also_expire[1].age is missing"),
        ('"10 days"', '"unlimited"', "also_expire[1].age is wrong"),
        ('owner = "operations"', 'owner = " "', "also_expire[1].owner is wrong"),
        ('owner = "operations"', 'ownr = "x"', 'Did you mean "owner"?'),
        ('"/d/db-*.gz"', '"d/db-*.gz"', "absolute path"),
        ('"/d/db-*.gz"', '"/d/../db-*.gz"', "without empty parts"),
        ('"/d/db-*.gz"', '"/d*/db-*.gz"', "file's name only"),
        ('"/d/db-*.gz"', '"/d/**"', "file's name only"),
        ('"/d/db-*.gz"', '"/d/*"', "too little of the name"),
        ('"/d/db-*.gz"', '"/db"', "with a directory"),
        ('"delete"', '"remove"', "also_expire[1].action"),
        ("until = 2027-03-01\n", "", "hold[1].until is missing"),
        ('"2026-11-20"', '"backup"', 'Did you mean "backups"?'),
        ('"2026-11-20"', '"2026-11-31"', "days of the calendar"),
        ('"2026-11-20"', '"2026-11-20 to 2026-11-19"', "first day before the last"),
        ('basis = "a claim"', 'basis = ""', "hold[1].basis is wrong"),
        ('["a.example"]', '["https://a.example"]', "scope.sites"),
        ('["a.example"]', '["192.0.2.1"]', "scope.sites"),
    ],
)
def test_a_mistake(old: str, new: str, wanted: str) -> None:
    """Each is named by its key, with what was expected or the nearest spelling."""
    text = with_(ENTRY.replace("FOLDER", "/d") + HOLD + '[scope]\nsites = ["a.example"]\n')
    parse_policy(text, where="p")
    assert old in text
    with pytest.raises(PolicyError) as raised:
        parse_policy(text.replace(old, new, 1), where="p")
    assert wanted in str(raised.value)


def test_mistakes_between_keys_with_all_others() -> None:
    """What two keys do to each other is said together with what is wrong in one."""
    text = bundled()["truncated"].replace('"6 weeks"', '"unlimited"').replace("evaluate", "evalute")
    with pytest.raises(PolicyError) as raised:
        parse_policy(text, where="p")
    assert len(raised.value.mistakes) == 2


@pytest.mark.parametrize(
    ("old", "new", "key", "direction"),
    [
        ('"10 days"', '"9 days"', 'also_expire "backups".age', Direction.TIGHTER),
        ('"10 days"', '"11 days"', 'also_expire "backups".age', Direction.LOOSER),
        ('"delete"', '"report"', 'also_expire "backups".action', Direction.LOOSER),
        ("/d/db", "/e/db", 'also_expire "backups".path', Direction.LOOSER),
        ('"operations"', '"others"', 'also_expire "backups".owner', Direction.NEITHER),
        ("2027-03-01", "2027-03-02", 'hold "2026-11-20".until', Direction.LOOSER),
        ("2027-03-01", "2027-02-28", 'hold "2026-11-20".until', Direction.TIGHTER),
        (HOLD, "", 'hold "2026-11-20"', Direction.TIGHTER),
        (ENTRY.replace("FOLDER", "/d"), "", 'also_expire "backups"', Direction.LOOSER),
        ('["a.example"]', '["a.example", "b.example"]', "scope.sites", Direction.LOOSER),
        ('["a.example"]', "[]", "scope.sites", Direction.LOOSER),
    ],
)
def test_a_change(old: str, new: str, key: str, direction: Direction) -> None:
    """Each key of a listed table has an order of its own; entries are told apart by their names."""
    text = with_(ENTRY.replace("FOLDER", "/d") + HOLD + '[scope]\nsites = ["a.example"]\n')
    assert old in text
    (change,) = compare(parse_policy(text, where="a"), parse_policy(text.replace(old, new, 1), where="b"))
    assert (change.key, change.direction) == (key, direction)
    assert "{" not in change.sentence


def test_entries_in_another_order() -> None:
    """Policies that differ only in the order of entries are not said to be the same: `apply` takes the new one."""
    other = HOLD.replace("2026-11-20", "2026-11-21")
    before, after = (parse_policy(with_(text), where="a") for text in (HOLD + other, other + HOLD))
    assert before.sha256 != after.sha256
    (change,) = compare(before, after)
    assert (change.key, change.direction) == ("hold", Direction.NEITHER)


@pytest.mark.parametrize("spelling", ["bücher-lager.de", "Xn--Bcher-Lager-Thb.de", "xn--bcher-lager-thb.de."])
def test_known_domains_in_any_spelling(command: Inside, spelling: str) -> None:
    """What a policy names as known is kept however it is spelt, of clients and of referrers; `verify` knows it, too."""
    known = f'{{ as = "%s", known = ["{spelling}"] }}'
    fields = f'[fields]\ntime = {{ as = "day" }}\ndomain = {known % "provider"}\nreferrer = {known % "domain"}\n'
    (command.folder / "k.toml").write_text(PLAIN.partition("[fields]")[0] + fields)
    host = "xn--bcher-lager-thb.de"
    access = f'a.{host} - - [20/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 1 "https://www.{host}/" "x"\n'
    (command.folder / "k.log").write_text(access)
    assert command("run", "k.log", "--store", "s", "--policy", "k.toml", "--now", SAMPLE_NOW).code == 0
    (row,) = table_of(command.folder / "s").to_pylist()
    assert (row["domain"], row["referrer"]) == (host, host)
    assert command("verify", "--store", "s", "--now", SAMPLE_NOW).code == 0
