"""Installing for real: the Debian package, the service's sandbox as far as it can be had here, what the container runs.

These change the machine (a package, a user) and take a minute: they run where LOGANON_SERVERS is set.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
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
        said = done(ROOT / "packaging" / "deb" / "build.sh", shutil.which("python") or "python3", folder)
        size = int(said.split("installed: ")[1].split()[0])
        print(f"size of what is installed: {size} MiB")
        assert size <= LIMIT_MIB
        yield folder / f"loganon_{__version__}_{done('dpkg', '--print-architecture').strip()}.deb"


def test_the_package(package: Path) -> None:
    """Installed, it runs as its own user as the service does; removed, it leaves store and key; purged, nothing."""
    assert shutil.which("loganon", path="/usr/bin") is None, "loganon is installed here already"
    done("dpkg", "-i", package)
    try:
        user = pwd.getpwnam("loganon")
        key, state = Path("/etc/loganon/key"), Path("/var/lib/loganon")
        assert (key.stat().st_mode & 0o777, len(key.read_text())) == (0o600, 64)
        assert (state.stat().st_mode & 0o777, state.stat().st_uid) == (0o700, user.pw_uid)
        assert done("loganon", "--version").strip() == f"loganon, version {__version__}"
        assert "loganon-run" in done("man", "-w", "loganon-run") or shutil.which("mandb")
        served(user)
        done("dpkg", "--remove", "loganon")
        assert not Path("/usr/bin/loganon").exists()
        assert not Path("/opt/loganon").exists()
        assert key.exists()
        assert (state / "site").exists()
    finally:
        done("dpkg", "--purge", "loganon")
    assert not key.exists()
    assert not state.exists()


def served(user: pwd.struct_passwd) -> None:
    """One turn of the service: its ExecStart, as its user, with the key handed over as systemd does it."""
    unit = Path("/usr/lib/systemd/system/loganon.service").read_text()
    command = next(line.removeprefix("ExecStart=") for line in unit.splitlines() if line.startswith("ExecStart="))
    with TemporaryDirectory(prefix="loganon-log-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        shutil.copy(SAMPLES / "shop.access.log.1.gz", folder / "site.access.log.1.gz")
        credentials = folder / "credentials"
        credentials.mkdir()
        shutil.copy("/etc/loganon/key", credentials / "loganon.key")
        for path in (credentials, credentials / "loganon.key"):
            shutil.chown(path, user.pw_uid)
        Path("/etc/loganon/loganon.toml").write_text(
            f'[[input]]\nlogs = "{folder}/{{site}}.access.log*"\nstore = "/var/lib/loganon/{{site}}"\n'
        )
        shutil.chown("/etc/loganon/loganon.toml", group="loganon")
        environment = {"CREDENTIALS_DIRECTORY": str(credentials), "PATH": "/usr/bin:/bin"}
        said = done(
            *command.split(),
            "--now",
            "2026-11-21T06:00:00Z",
            env=environment,
            user=user.pw_uid,
            group=user.pw_gid,
            extra_groups=[],
        )
        assert said == ""
    assert list(Path("/var/lib/loganon/site/access").glob("*/*.parquet"))


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
