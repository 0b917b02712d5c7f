"""A Spark cluster of two real executor processes on loopback, in a folder of the test, and its processes."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from support.servers import until

WARNING = "ignore:PySpark does not yet fully support pandas:FutureWarning"
"""What PySpark 4.3 says of pandas 3, of which a job of ours uses nothing."""

_LOGGING = """
rootLogger.level = warn
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %p %c{1}: %m%n%ex
logger.services.name = org.apache.spark.util.Utils
logger.services.level = info
"""
"""As Spark logs by itself; besides, which ports its services have."""

_SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.sql.shuffle.partitions": "2",
    "spark.executor.memory": "512m",
    "spark.network.timeout": "600s",
    "spark.executor.heartbeatInterval": "20s",
    "spark.speculation": "true",
    "spark.speculation.interval": "100ms",
    "spark.speculation.quantile": "0.3",
    "spark.speculation.multiplier": "1.1",
    "spark.speculation.minTaskRuntime": "2s",
}


@dataclass(frozen=True, slots=True)
class Cluster:
    """A session, and the folder in which everything lies that Spark writes: event log, scratch files, its output."""

    session: Any
    folder: Path
    gateway: subprocess.Popen[bytes]

    def lines(self, path: Path, parts: int = 4) -> Any:
        """A DataFrame of the lines of a log, in so many parts, or few more."""
        self.session.conf.set("spark.sql.files.maxPartitionBytes", str(path.stat().st_size // parts + 1))
        return self.session.read.text(str(path), lineSep="\n")

    @contextmanager
    def other_host(self) -> Iterator[None]:
        """A block in which a third executor is on another host: Spark speculates only where no attempt is yet."""
        master = f"spark://127.0.0.1:{self._master_port()}"
        words = ["org.apache.spark.deploy.worker.Worker", "--host", "127.0.0.2", "--webui-port", "0"]
        words += ["--cores", "1", "--memory", "1024M", "--work-dir", str(self.folder / "work-2"), master]
        variables = os.environ | {"SPARK_LOCAL_IP": "127.0.0.2"}
        with (
            (self.folder / "output-2").open("wb") as output,
            subprocess.Popen(
                [self.folder / "home" / "bin" / "spark-class", *words], env=variables, stdout=output, stderr=output
            ) as worker,
        ):
            try:
                until(lambda: any("127.0.0.2" in each for each in self._executors()), 300)
                yield
            finally:
                worker.terminate()
                worker.wait(60)

    def _executors(self) -> list[str]:
        """Where the block managers of the driver and of all executors are."""
        found = self.session.sparkContext._jsc.sc().getExecutorMemoryStatus().keys().toSeq()
        return [found.apply(n) for n in range(found.size())]

    def _master_port(self) -> str:
        said = re.search(rb"service 'sparkMaster' on port ([0-9]+)", (self.folder / "output").read_bytes())
        assert said is not None
        return said[1].decode()

    def executor_of(self, worker: int) -> int:
        """The JVM above a Python process of an executor."""
        while "CoarseGrainedExecutorBackend" not in Path(f"/proc/{worker}/cmdline").read_text():
            worker = int(Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[1])
            assert worker > 1
        return worker


def require_spark() -> None:
    """Nothing where PySpark and Java are there; else the module's tests are skipped, or fail under LOGANON_SERVERS."""
    missing = [name for name, there in (("pyspark", find_spec("pyspark")), ("java", shutil.which("java"))) if not there]
    if missing:
        reason = f"{' and '.join(missing)} not installed (make large)"
        if os.environ.get("LOGANON_SERVERS"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason, allow_module_level=True)


def environment(folder: Path) -> dict[str, str]:
    """The variables of a driver: all that Spark writes goes into `folder`, all that it opens is on loopback."""
    import pyspark  # noqa: PLC0415 - it need not be there

    home = folder / "home"
    if not home.exists():  # workers write beside what they run from
        home.mkdir(parents=True)
        for entry in Path(pyspark.__file__).parent.iterdir():
            (home / entry.name).symlink_to(entry)
    conf = folder / "conf"
    conf.mkdir(exist_ok=True)
    (conf / "log4j2.properties").write_text(_LOGGING)
    return {
        "SPARK_HOME": str(home),
        "SPARK_CONF_DIR": str(conf),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_LOCAL_DIRS": str(folder / "local"),
        "SPARK_WORKER_DIR": str(folder / "work"),
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
    }


@contextmanager
def cluster(folder: Path, variables: Mapping[str, str]) -> Iterator[Cluster]:
    """A session for as long as the block lasts; then all its processes are gone. `variables`: for all of these."""
    from pyspark import SparkContext  # noqa: PLC0415 - it need not be there
    from pyspark.sql import SparkSession  # noqa: PLC0415 - as above

    events = folder / "events"
    events.mkdir(parents=True)
    kept = dict(os.environ)
    os.environ.update({**environment(folder), **variables})
    try:
        with _output(folder / "output"):  # the driver's JVM inherits it
            builder = SparkSession.builder.master("local-cluster[2,1,1024]").appName("tests")
            settings = _SETTINGS | {"spark.eventLog.enabled": "true", "spark.eventLog.dir": events.as_uri()}
            for name, value in settings.items():
                builder = builder.config(name, value)
            session = builder.getOrCreate()
        gateway = SparkContext._gateway
        process = gateway.proc
        try:
            yield Cluster(session, folder, process)
        finally:
            session.stop()
            gateway.shutdown()
            process.stdin.close()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            SparkContext._gateway = SparkContext._jvm = None
    finally:
        os.environ.clear()
        os.environ.update(kept)


@contextmanager
def _output(path: Path) -> Iterator[None]:
    """A block in which the process's own streams, as children inherit them, go into a file."""
    kept = os.dup(1), os.dup(2)
    with path.open("wb") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
        try:
            yield
        finally:
            for stream, old in zip((1, 2), kept, strict=True):
                os.dup2(old, stream)
                os.close(old)


def held_up(folder: Path, *, everyone: bool = False) -> Any:
    """A step before ours, for `mapInArrow`: the first task that comes to it says its process id in `folder` and goes
    on once `go` is there; so does a second attempt, which says its own. `everyone`: all but the first go on at once.
    """

    def step(batches: Iterator[Any]) -> Iterator[Any]:
        import os  # noqa: PLC0415 - what follows runs in an executor, which has no module of the tests
        import time  # noqa: PLC0415 - as above
        from pathlib import Path  # noqa: PLC0415 - as above

        from pyspark import TaskContext  # noqa: PLC0415 - as above

        task = TaskContext.get()
        first = next(batches, None)
        if task.partitionId() == 0:
            mine = Path(folder) / f"attempt-{task.attemptNumber()}"
            mine.with_suffix(".new").write_text(str(os.getpid()))
            mine.with_suffix(".new").rename(mine)
            wanted = Path(folder) / ("attempt-1" if everyone else "go")
            end = time.monotonic() + 300
            while task.attemptNumber() == 0 and not wanted.exists() and time.monotonic() < end:
                time.sleep(0.05)
        if first is not None:
            yield first
        yield from batches

    return step


def kill(pid: int) -> None:
    """The process is gone, at once."""
    os.kill(pid, signal.SIGKILL)


def appears(path: Path) -> str:
    """What a file says, once it is there."""
    until(path.exists, 300)
    return path.read_text()
