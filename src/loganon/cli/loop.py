"""The loop of a process that follows: its clocks, its signals, a thread that looks at the logs meanwhile."""

from __future__ import annotations

import queue
import resource
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from loganon.errors import ConfigurationError

if TYPE_CHECKING:
    from loganon.cli.messages import Messages
    from loganon.sources.live import Live

STDIN = "-"
_TICK = 0.5  # seconds between two looks at everything
_SOON = 0.02  # the same while more waits than should
_LOOK = 1.0  # seconds between two looks of the thread; more where they take more than a twentieth of the time
_LONGEST = 60.0  # the same at most: a look that hung, with a mount or a stopped process, must not end all looks


class Following(Protocol):
    """A follower, or many."""

    @property
    def ended(self) -> bool:
        """Nothing more can come."""
        ...

    @property
    def hurried(self) -> bool:
        """More waits than should until the next tick."""
        ...

    def tick(self, *, look: bool = True) -> None:
        """Does what is due."""
        ...

    def look(self) -> None:
        """Looks at the logs."""
        ...

    def stop(self) -> None:
        """Asks it to end."""
        ...


class SystemTicker:
    """The clocks of this system."""

    def now(self) -> datetime:
        """The time, UTC."""
        return datetime.now(UTC)

    def seconds(self) -> float:
        """Seconds that never step."""
        return time.monotonic()

    def pause(self, seconds: float) -> None:
        """So much time passes."""
        time.sleep(seconds)


def open_lives(logs: Sequence[str], syslog: Sequence[str], say: Messages, opened: ExitStack) -> list[Live]:
    """What cannot be read again: standard input, once, and syslog."""
    from loganon.sources.live import Live  # noqa: PLC0415 - start-up: not imported for --help
    from loganon.sources.prompt import Prompt  # noqa: PLC0415 - start-up, as above
    from loganon.sources.syslog import Syslog, parse_address  # noqa: PLC0415 - start-up, as above

    lives = []
    if STDIN in logs:
        if sys.stdin is None:
            raise ConfigurationError("standard input is closed", where=STDIN, fix="Write a log into the pipe")
        lives.append(Live(STDIN, Prompt(sys.stdin.fileno())))
    for text in syslog:
        address = parse_address(text)
        if not address.loopback:
            say.note(f"{text}: any host that reaches this address can write lines")
        feed = Syslog(address, text)
        opened.callback(feed.close)
        lives.append(Live(text, feed))
    return lives


class Stop:
    """What ends the loop: `asked`, by SIGTERM or SIGINT."""

    def __init__(self) -> None:
        self.asked = False
        self._wake: queue.SimpleQueue[None] = queue.SimpleQueue()  # unlike an Event it may be told by a signal handler
        self._following: list[Following] = []

    @contextmanager
    def signals(self) -> Iterator[None]:
        """A block in which the signals ask. SIGHUP, by which others reopen their logs, does nothing."""
        handlers = {signal.SIGTERM: self._ask, signal.SIGINT: self._ask, signal.SIGHUP: lambda *_: None}
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def loop(self, following: Following) -> None:
        """Goes on until a signal asks to stop, or nothing more can come."""
        self._following.append(following)
        over = threading.Event()
        failed: list[Exception] = []
        watching = threading.Thread(target=_look, args=(following, over, failed), name="watch", daemon=True)
        watching.start()
        try:
            while not self.asked and not following.ended:
                following.tick(look=False)
                if failed:
                    raise failed[0]  # a process that does not see its logs any more must not go on as if it did
                with suppress(queue.Empty):
                    self._wake.get(timeout=_SOON if following.hurried else _TICK)
        finally:
            over.set()
            watching.join()

    def _ask(self, *_: object) -> None:
        self.asked = True
        self._wake.put(None)
        for following in self._following:
            following.stop()


def _look(following: Following, over: threading.Event, failed: list[Exception]) -> None:
    pause = 0.0
    while not over.wait(pause):
        begun = time.monotonic()
        try:
            following.look()
        except Exception as error:  # noqa: BLE001 - the loop raises it
            failed.append(error)
            return
        pause = min(max(_LOOK, 20 * (time.monotonic() - begun)), _LONGEST)


def raise_open_files() -> None:
    """As many logs may be held as the system lets us."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
