"""A process that has imported loganon and forks one command at each request: a start takes a second, a fork 10 ms.

It is a program of its own (`warm.py` starts it), so that a command is a child without threads or files of the tests.
A request is JSON with the descriptors of standard output, standard error, a gate and a status pipe. The status pipe
gets the command's process id, and its wait status when it has ended; the command begins when the gate has a byte.
"""

from __future__ import annotations

import ctypes
import json
import os
import selectors
import signal
import socket
import sys
from contextlib import suppress
from typing import NoReturn

import pandas  # noqa: F401, ICN001 - pyarrow imports it where it is installed
import pyarrow.acero
import pyarrow.dataset
import pyarrow.pandas_compat  # noqa: F401 - pyarrow imports these when it first joins or filters

from loganon import cli, job
from loganon.cli import progress, retain, run
from loganon.formats import given, named_format
from loganon.lookups import open_lookups
from loganon.lookups.agents import Agents
from loganon.pipeline import build
from loganon.policy import load_policy

COMMANDS = (given, job, progress, retain, run)
"""Imported now, so that no command imports them again."""
REQUEST = 1 << 16


def prepare() -> None:
    """What every command would load is in memory: formats, the list of suffixes, the rules of browsers."""
    build(load_policy("imos"), named_format("combined"), open_lookups((), ()), coded=True)  # type: ignore[arg-type]  # that name is known
    Agents()("Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0")


def carry_out(request: dict[str, object], descriptors: list[int]) -> NoReturn:
    """In the child: be the command."""
    code = 70
    try:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG: it goes with this server
        out, err, gate, status = descriptors
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(out, 1)
        os.dup2(err, 2)
        os.closerange(3, gate)
        os.closerange(gate + 1, 256)
        del status
        os.environ.clear()
        os.environ.update(request["env"])  # type: ignore[call-overload]  # of JSON
        os.chdir(str(request["cwd"]))
        sys.argv = ["loganon", *request["words"]]  # type: ignore[misc]  # of JSON
        os.read(gate, 1)
        os.close(gate)
        cli.main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0
    finally:
        with suppress(OSError):
            sys.stdout.flush()
        with suppress(OSError):
            sys.stderr.flush()
        os._exit(code)


def serve(requests: socket.socket) -> None:
    """Until the other end closes: fork what is asked for, tell how it ended."""
    selector = selectors.DefaultSelector()
    selector.register(requests, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj is requests:
                message, descriptors, _, _ = socket.recv_fds(requests, REQUEST, 4)
                if not message:
                    return
                pid = os.fork()
                if not pid:
                    carry_out(json.loads(message), descriptors)
                for descriptor in descriptors[:3]:
                    os.close(descriptor)
                os.write(descriptors[3], b"%d\n" % pid)
                selector.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, descriptors[3]))
            else:
                pid, status = key.data
                _, ended = os.waitpid(pid, 0)
                with suppress(BrokenPipeError):
                    os.write(status, b"%d\n" % ended)
                selector.unregister(key.fileobj)
                os.close(key.fd)
                os.close(status)


if __name__ == "__main__":
    prepare()
    with socket.socket(fileno=0) as asked:
        serve(asked)
