"""Installing for real: the Debian package, the service's sandbox as far as it can be had here, what the container runs.

The package is installed into directories that only the test sees. It takes a minute: where LOGANON_SERVERS is set.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from loganon import __version__
from support.cli import SAMPLES
from support.servers import program, until

ROOT = Path(__file__).parents[1]
LIMIT_MIB = 500

pytestmark = [
    pytest.mark.skipif(
        "not __import__('os').environ.get('LOGANON_SERVERS')", reason="installs a package: LOGANON_SERVERS=1"
    ),
]


def done(*command: object, **settings: object) -> str:
    """What the command printed; it must succeed."""
    ended = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, **settings)  # type: ignore[call-overload]  # passed on
    assert ended.returncode == 0, (command, ended.stdout, ended.stderr)
    return str(ended.stdout)


@pytest.fixture(scope="module")
def package() -> Iterator[Path]:
    """The package, built of this tree, in a folder that every user can read."""
    program("dpkg-deb")
    if os.geteuid() != 0:
        pytest.skip("a package is installed by root")
    with TemporaryDirectory(prefix="loganon-deb-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        said = done(ROOT / "packaging" / "deb" / "build.sh", sys.executable, folder)
        size = int(said.split("installed: ")[1].split()[0])
        print(f"size of what is installed: {size} MiB")
        assert size <= LIMIT_MIB
        yield folder / f"loganon_{__version__}_{done('dpkg', '--print-architecture').strip()}.deb"


def test_pipx(tmp_path: Path) -> None:
    """`pipx install` of the wheel, with what it needs from the package index: the command counts a log in an
    environment of its own, without a library of the developers'. Uninstalled, nothing of it is left.
    """
    pipx = program("pipx")
    done(sys.executable, "-m", "build", "--quiet", "--wheel", "--no-isolation", "--outdir", tmp_path, ROOT)
    (wheel,) = tmp_path.glob("*.whl")
    place, command = tmp_path / "pipx", tmp_path / "bin" / "loganon"
    environment = {**os.environ, "PIPX_HOME": str(place), "PIPX_BIN_DIR": str(command.parent)}
    environment.pop("PYTHONPATH", None)
    done(pipx, "install", "--python", sys.executable, wheel, env=environment)
    assert done(command, "--version", env=environment).strip() == f"loganon, version {__version__}"
    store = ("--store", tmp_path / "store")
    options = (*store, "--key-file", tmp_path / "key", "--now", "2026-11-21T06:00:00Z")
    answer = json.loads(done(command, "run", SAMPLES / "shop.access.log", *options, "--json", env=environment))
    assert answer["counted"] > 0
    done(command, "verify", *store, "--now", "2026-11-21T06:00:00Z", env=environment)
    (packages,) = place.glob("venvs/loganon-access/lib/python*/site-packages")
    assert not list(packages.glob("pytest*"))
    done(pipx, "uninstall", "loganon-access", env=environment)
    assert not command.exists()
    assert not (place / "venvs" / "loganon-access").exists()


class Machine:
    """This machine with directories of its own in place of those that a package changes; they last as long as the test.

    `root`: how it looks from outside.
    """

    def __init__(self, folder: Path) -> None:
        script = "\n".join(
            [
                "set -e",
                f"mount -t tmpfs -o size=2g,mode=0755 tmpfs {folder}",
                "for name in etc usr opt var; do",
                f"    mkdir -p {folder}/$name/upper {folder}/$name/work",
                f"    over=upperdir={folder}/$name/upper,workdir={folder}/$name/work",
                "    mount -t overlay -o lowerdir=/$name,$over none /$name",
                "done",
                "echo ready",
                "exec sleep infinity",
            ]
        )
        self._holder = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c", script], stdout=subprocess.PIPE, text=True
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == "ready\n"
        self.root = Path(f"/proc/{self._holder.pid}/root")

    def __call__(self, *command: object, **settings: object) -> str:
        """What the command printed there; it must succeed."""
        return done("nsenter", f"--mount=/proc/{self._holder.pid}/ns/mnt", "--", *command, **settings)

    def close(self) -> None:
        self._holder.kill()
        self._holder.communicate()


@pytest.fixture
def machine() -> Iterator[Machine]:
    with TemporaryDirectory(prefix="loganon-machine-") as name:
        found = Machine(Path(name))
        try:
            yield found
        finally:
            found.close()


def test_the_package(package: Path, machine: Machine) -> None:
    """Installed, it runs as its own user as the service does; removed, it leaves store and key; purged, nothing."""
    machine("dpkg", "-i", package)
    (entry,) = [line for line in (machine.root / "etc/passwd").read_text().splitlines() if line.startswith("loganon:")]
    uid, gid = map(int, entry.split(":")[2:4])
    key, state = machine.root / "etc/loganon/key", machine.root / "var/lib/loganon"
    assert (key.stat().st_mode & 0o777, len(key.read_text())) == (0o600, 64)
    assert (state.stat().st_mode & 0o777, state.stat().st_uid) == (0o700, uid)
    assert machine("loganon", "--version").strip() == f"loganon, version {__version__}"
    assert (machine.root / "usr/share/man/man1/loganon-run.1.gz").exists()
    served(machine, uid, gid)
    machine("dpkg", "--remove", "loganon")
    assert not (machine.root / "usr/bin/loganon").exists()
    assert not (machine.root / "opt/loganon").exists()
    assert key.exists()
    assert (state / "site").exists()
    machine("dpkg", "--purge", "loganon")
    assert not key.exists()
    assert not state.exists()


def served(machine: Machine, uid: int, gid: int) -> None:
    """One turn of the service: its ExecStart, as its user, with the key handed over as systemd does it."""
    unit = (machine.root / "usr/lib/systemd/system/loganon.service").read_text()
    command = next(line.removeprefix("ExecStart=") for line in unit.splitlines() if line.startswith("ExecStart="))
    configuration = machine.root / "etc/loganon/loganon.toml"
    with TemporaryDirectory(prefix="loganon-log-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        shutil.copy(SAMPLES / "shop.access.log.1.gz", folder / "site.access.log.1.gz")
        credentials = folder / "credentials"
        credentials.mkdir()
        shutil.copy(machine.root / "etc/loganon/key", credentials / "loganon.key")
        for path in (credentials, credentials / "loganon.key"):
            os.chown(path, uid, gid)
        configuration.write_text(
            f'[[input]]\nlogs = "{folder}/{{site}}.access.log*"\nstore = "/var/lib/loganon/{{site}}"\n'
        )
        os.chown(configuration, 0, gid)
        environment = {"CREDENTIALS_DIRECTORY": str(credentials), "PATH": "/usr/bin:/bin"}
        user = ("setpriv", "--reuid", uid, "--regid", gid, "--clear-groups", "--")
        said = machine(*user, *command.split(), "--now", "2026-11-21T06:00:00Z", env=environment)
        assert said == ""
    assert list((machine.root / "var/lib/loganon/site/access").glob("*/*.parquet"))


SANDBOX = """
set -e
mount --make-rprivate /
mount -t tmpfs -o size=16m,mode=0755 tmpfs /mnt
mkdir /mnt/raw /mnt/state /mnt/app
mount --bind "$RAW" /mnt/raw && mount -o remount,ro,bind /mnt/raw
mount --bind "$STATE" /mnt/state
mount --bind "$APP" /mnt/app && mount -o remount,ro,bind /mnt/app
mount -o remount,ro /mnt
mount -t tmpfs -o size=16m,mode=0700,uid=65532 tmpfs /tmp
mount -o remount,ro,bind /
exec setpriv --reuid 65532 --regid 65532 --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all -- "$@"
"""
START = 'import sys; sys.path.insert(0, "/mnt/app/lib"); from loganon.__main__ import main; main()'


def test_what_the_container_runs(package: Path) -> None:
    """`follow` as the image starts it: user 65532 without capabilities, everything read-only but the store's volume and
    a small /tmp, no network. It counts what is there, and a stop ends it well. (No container engine is needed.)
    """
    with TemporaryDirectory(prefix="loganon-box-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        raw, state, app = folder / "raw", folder / "state", folder / "app"
        for path in (raw, state):
            path.mkdir()
        shutil.chown(state, 65532, 65532)
        done("dpkg-deb", "-x", package, app)
        shutil.copy(SAMPLES / "shop.access.log", raw / "access.log")
        command = ["unshare", "--mount", "--net", "sh", "-c", SANDBOX, "sandbox", "/usr/bin/python3", "-I", "-c", START]
        options = ["follow", "/mnt/raw/access.log", "--store", "/mnt/state/store", "--key-file", "/mnt/state/key"]
        environment = {
            "PATH": os.environ["PATH"],
            "RAW": str(raw),
            "STATE": str(state),
            "APP": str(app / "opt" / "loganon"),
        }
        clock = (
            ["--now", "2026-11-21T06:00:00Z"]
            if "--now"
            in done("/usr/bin/python3", "-I", "-c", START.replace("/mnt/app", f"{app}/opt/loganon"), "follow", "--help")
            else []
        )
        with subprocess.Popen(
            [*command, *options, *clock, "--flush-interval", "1s"], env=environment, stderr=subprocess.PIPE, text=True
        ) as box:
            until(lambda: box.poll() is not None or any((state / "store" / "access").glob("*/*.parquet")))
            box.send_signal(signal.SIGTERM)
            _, said = box.communicate(timeout=30)
        assert box.returncode == 0, said
        assert list((state / "store" / "access").glob("*/*.parquet")), said
        assert (state / "store").stat().st_uid == 65532
