"""The library leaves its process as it is: no variable is read, no handler set, no umask, no logging, no output."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from support.cli import TIMEOUT
from support.runs import lines

ROOT = Path(__file__).parents[1]

USE = """
import io, sys
from datetime import datetime, UTC
from pathlib import Path
import loganon

def use(folder: Path) -> None:
    "Every public call, once."
    log = folder / "x.log"
    policy = loganon.load_policy("imos")
    options = {"key": b"0123456789abcdef0123", "now": datetime(2026, 11, 21, 12, tzinfo=UTC)}
    assert loganon.run([log], policy=policy, store=folder / "s", **options).counted == 30
    assert loganon.run([log], store=folder / "s", **options).already_counted == 30
    assert loganon.anonymize(log.read_bytes()).table.num_rows == 30
    assert loganon.anonymize({"time": [0]}).table.num_rows == 1
    assert sum(each.table.num_rows for each in loganon.batches(log, batch_bytes=1000)) == 30
    assert loganon.scan(folder / "s").collect()["requests"].sum() == 30
    loganon.sealed_through(folder / "s")
    try:
        loganon.anonymize(b"no line\\n")
    except loganon.LoganonError:
        pass
"""

CASES = {
    "variables": """
import os, loganon.api
read = []
MAPPINGS = (os.getenv.__code__.co_filename, type(os.environ).get.__code__.co_filename)
class Spy(type(os.environ)):
    def __getitem__(self, key):
        frame = sys._getframe(1)
        while frame and frame.f_code.co_filename in MAPPINGS:
            frame = frame.f_back
        own = frame and "/loganon/" in frame.f_code.co_filename
        if own and not key.startswith("PYARROW_"):  # pyarrow's calls have no frame of their own
            read.append((key, frame.f_code.co_filename))
        return super().__getitem__(key)
os.environ.__class__ = Spy
before = dict(os.environ)
use(folder)
assert read == [], read
assert dict(os.environ) == before
""",
    "signals": """
import signal
def handlers():
    return {number: signal.getsignal(number) for number in signal.valid_signals()}
before, blocked, timer = handlers(), signal.pthread_sigmask(signal.SIG_BLOCK, ()), signal.getitimer(signal.ITIMER_REAL)
def refuse(*_):
    raise AssertionError("a handler is set")
signal.signal = signal.siginterrupt = signal.set_wakeup_fd = signal.pthread_sigmask_ = refuse
use(folder)
assert handlers() == before
assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == blocked
assert signal.getitimer(signal.ITIMER_REAL) == timer
""",
    "umask": """
import os
real = os.umask
mask = real(0o013)
def refuse(_):
    raise AssertionError("the umask is changed")
os.umask = refuse
use(folder)
assert real(mask) == 0o013
for path in (folder / "s", *(folder / "s").rglob("*")):
    assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path
""",
    "logging": """
import logging, warnings
logging.root.setLevel(0)
records = []
class Kept(logging.Handler):
    def emit(self, record):
        if record.name.startswith("loganon"):
            records.append(record.getMessage())
logging.root.addHandler(Kept())
def configured():
    named = {name: (each.level, list(each.handlers), each.propagate, each.disabled)
             for name, each in logging.root.manager.loggerDict.items() if isinstance(each, logging.Logger)}
    return named, logging.root.level, list(logging.root.handlers), logging.raiseExceptions, logging.getLoggerClass()
import loganon.api
import asyncio, concurrent.futures  # which make loggers of their own
first = configured()
use(folder)
now = configured()
assert {name: now[0][name] for name in first[0]} == first[0]
assert not [name for name in now[0] if name.startswith("loganon")]
assert now[1:] == first[1:]
assert records == []
assert logging.lastResort is not None and not logging._warnings_showwarning
""",
    "process": """
import atexit, os, resource, sys, threading, locale
limits = [resource.getrlimit(each) for each in (resource.RLIMIT_CORE, resource.RLIMIT_NOFILE, resource.RLIMIT_AS)]
def hooked():
    return sys.excepthook, threading.excepthook, sys.unraisablehook, sys.stdout, sys.stderr, sys.getrecursionlimit()
hooks = hooked()
where, zone = os.getcwd(), locale.setlocale(locale.LC_ALL)
import gc; collected = gc.get_threshold()
use(folder)
assert limits == [resource.getrlimit(e) for e in (resource.RLIMIT_CORE, resource.RLIMIT_NOFILE, resource.RLIMIT_AS)]
assert hooks == hooked()
assert (where, zone, collected) == (os.getcwd(), locale.setlocale(locale.LC_ALL), gc.get_threshold())
assert threading.active_count() == 1
""",
}


@pytest.mark.parametrize("case", CASES)
def test_surroundings(case: str, tmp_path: Path) -> None:
    """What is looked at is after every public call as it was before, and nothing is printed."""
    (tmp_path / "x.log").write_bytes(b"".join(lines(30)))
    code = f"{USE}\nfolder = Path(sys.argv[1])\n{CASES[case]}"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


FORBIDDEN = {
    "environ", "environb", "getenv", "putenv", "unsetenv", "umask", "chdir", "basicConfig", "getLogger", "dictConfig",
    "captureWarnings", "excepthook", "setrlimit", "setlocale", "simplefilter", "filterwarnings", "print",
    "sigaction", "set_wakeup_fd", "setitimer", "alarm", "expanduser", "gettempdir", "TemporaryDirectory",
}  # fmt: skip
"""Names by which a process's surroundings are read or changed."""
KNOWN = {("store/places.py", "TemporaryDirectory"), ("sources/removal.py", "signal")}
"""`verify` of a bucket makes a copy; nothing of the public interface does. Of signals the removal takes the number of
one that nobody minds, for the kernel to send in place of one that ends the process.
"""


def test_no_module_of_the_library_names_them() -> None:
    """Of the modules that the public calls load, none names what reads or changes a process's surroundings, and none
    imports signal or logging."""
    code = "import loganon, sys\nfor name in loganon.__all__: getattr(loganon, name)\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=TIMEOUT, check=True)
    loaded = [name for name in done.stdout.split() if name.split(".")[0] == "loganon"]
    assert len(loaded) > 100
    assert not [name for name in loaded if name.startswith("loganon.cli")]
    found = set()
    for name in loaded:
        base = ROOT / "src" / Path(*name.split("."))
        path = base / "__init__.py" if base.is_dir() else base.with_suffix(".py")
        text = path.read_text("utf-8")
        assert "Path.home" not in text
        for node in ast.walk(ast.parse(text)):
            inside = str(path.relative_to(ROOT / "src" / "loganon"))
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [each.name for each in node.names] + [getattr(node, "module", None) or ""]
                found |= {(inside, each) for each in names if each in ("signal", "logging", "warnings", "atexit")}
                found |= {(inside, each) for each in names if each in FORBIDDEN}
            elif isinstance(node, ast.Attribute) and node.attr in FORBIDDEN:
                found.add((inside, node.attr))
            elif isinstance(node, ast.Name) and node.id in FORBIDDEN:
                found.add((inside, node.id))
    assert found == KNOWN
