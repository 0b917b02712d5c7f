"""The documents are true: their commands run, their tables are the program's, nobody is sent to another's package."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

import loganon
from support.cli import SAMPLES, TIMEOUT, Command
from support.runs import line

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def blocks(kind: str) -> list[str]:
    return [text for found, text in BLOCKS if found == kind]


def commands() -> list[str]:
    """Each line of the README's blocks that calls the command, without its comment."""
    lines = "\n".join(
        text.replace("\\\n", " ") for kind, text in BLOCKS if kind in ("", "sh", "bash", "console")
    ).splitlines()
    return [line.removeprefix("$ ").split("  #")[0].strip() for line in lines if re.match(r"(\$ )?loganon ", line)]


def fresh(count: int = 40) -> bytes:
    """Lines of the last hours by the real clock, since documents name no other."""
    now = datetime.now(UTC).replace(microsecond=0)
    return b"".join(line(now - timedelta(minutes=3 * n), f"/seite/{n % 4}.html") for n in reversed(range(count)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with what the documents take for granted: logs, and a provider database."""
    (tmp_path / "access.log").write_bytes(fresh())
    (tmp_path / "access.log.1").write_bytes((SAMPLES / "hosts.access.log").read_bytes())
    (tmp_path / "asn.mmdb").write_bytes((SAMPLES / "providers.mmdb").read_bytes())
    return tmp_path


def test_the_commands_of_the_readme(folder: Path) -> None:
    """They succeed, in their order, in a folder with logs; the store then is where they said."""
    found = commands()
    assert {text.split()[1] for text in found} == {"preview", "run", "retain", "status", "verify", "filter"}
    command = Command(folder, variables={"LOGANON_KEY_FILE": str(folder / "key")})
    for text in found:
        words = []
        for word in shlex.split(text)[1:]:
            words += sorted(str(each) for each in folder.glob(word)) if "*" in word else [word]
        done = command(*words)
        assert (done.code, done.out != "") == (0, True), (text, done)
    assert (folder / "store" / "access").is_dir()


def test_the_query_of_the_readme(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs as it stands, on a store that has accesses."""
    (query,) = blocks("sql")
    monkeypatch.chdir(folder)
    loganon.run([folder / "access.log"], store=folder / "store", key=b"k" * 32)
    with duckdb.connect() as database:
        rows = database.execute(query).fetchall()
    assert sum(row[-1] for row in rows) == 40


def test_the_library_of_the_readme(folder: Path) -> None:
    """Its lines run as they stand, and give what their comments say."""
    (code,) = blocks("python")
    check = "\nassert (summary.counted, result.table.num_rows, frame.collect()['requests'].sum()) == (40, 40, 40)"
    done = subprocess.run(
        [sys.executable, "-c", code + check], cwd=folder, capture_output=True, timeout=TIMEOUT, check=False
    )
    assert (done.returncode, done.stdout) == (0, b""), done.stderr.decode()


def test_the_table_of_the_readme() -> None:
    """Columns, types and order are those of the policy `imos`."""
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \| [^|]+ \|$", README, re.MULTILINE)
    schema = loganon.load_policy("imos").spec.schema
    types = [str(kind).replace("tz=", "") for kind in schema.types]
    assert rows == list(zip(schema.names, types, strict=True))


def test_make_targets_of_the_readme() -> None:
    """Each `make` target that is named exists."""
    targets = set(re.findall(r"\bmake ([a-z]+)\b", README)) - {"it"}
    assert {"demo", "test"} <= targets
    assert targets <= set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_files_named_in_the_readme() -> None:
    """Each path in backticks that looks like one of the project's exists."""
    named = set(re.findall(r"`((?:docs|configs|sample_logs|src|tests|benchmarks)/[\w./-]*|[A-Z]+\.md)`", README))
    assert named
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def documents() -> list[Path]:
    """All text that people read before they install."""
    found = [path for kind in ("*.md", "*.toml", "Makefile") for path in ROOT.glob(kind)]
    for folder in ("docs", "src", "configs", "sample_logs", "benchmarks", ".ci"):
        found += [path for path in (ROOT / folder).rglob("*") if path.suffix in (".md", ".toml", ".py", ".html", "")]
    return [path for path in found if path.is_file()]


def test_no_document_installs_the_package_of_others() -> None:
    """The name `loganon` on the public index is somebody else's: no document says to install it."""
    named = re.compile(
        r"(?:pip3?|pipx|uv(?: pip| tool)?|poetry|conda)\s+(?:install|add|run)\s+(?:-\S+\s+)*[\"']?loganon(?![\w-])"
    )
    assert named.search("pip install loganon")
    assert named.search("uv pip install -U 'loganon[s3]'")
    assert not named.search("pip install loganon-access")
    assert len(documents()) > 10
    assert [str(path) for path in documents() if named.search(path.read_text("utf-8", "replace"))] == []
    assert 'name = "loganon"' not in (ROOT / "pyproject.toml").read_text()


def test_the_environment_variables_are_told(tmp_path: Path) -> None:
    """Every option of every command says in its help what it does."""
    command = Command(tmp_path)
    for name in ("run", "preview", "retain"):
        done = command(name, "--help")
        assert done.code == 0
        options = re.findall(r"^  (?:-\w, )?--[\w-]+.*$", done.out, re.MULTILINE)
        assert len(options) > 5
        assert "Usage: loganon " + name in done.out
    assert "LOGANON_<COMMAND>_<OPTION>" in command("--help").out
