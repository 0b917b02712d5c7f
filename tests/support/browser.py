"""Chromium without a window, by its DevTools protocol over a pipe: no port, no further library, no request unseen.

with Browser(folder) as browser:
    page = browser.open(path, dark=True, width=360)
    assert (page.messages, page.requests) == ([], [path.as_uri()])
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import signal
import subprocess
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from support.servers import program

_LIMIT = 180.0  # seconds without a word from the browser
_FLAGS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--disable-breakpad",
    "--disable-crash-reporter",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--host-resolver-rules=MAP * ~NOTFOUND",  # whatever a page asks for is seen, and goes nowhere
)
_INHERITED = 'exec "${@:3}" 3<&"$1" 4>&"$2"'  # the pipe is descriptors 3 and 4
_WIDER = "Math.max(0, document.documentElement.scrollWidth - document.documentElement.clientWidth)"


@dataclass(slots=True)
class Page:
    """A page that has been loaded. `messages`: what came to the console; `requests`: every address asked for."""

    browser: Browser
    session: str
    target: str
    messages: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression, as JSON has it; an exception fails the test."""
        options = {"expression": expression, "returnByValue": True, "awaitPromise": True}
        found = self.browser.call("Runtime.evaluate", options, self.session)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def text(self, selector: str) -> str:
        """What the first element of a CSS selector shows."""
        return str(self.evaluate(f"document.querySelector({json.dumps(selector)}).innerText"))

    def table(self, caption: str) -> list[list[str]]:
        """The cells of the body of the table whose caption begins so, row by row, as text."""
        found = self.evaluate(
            "[...document.querySelectorAll('table')].filter("
            f"t => t.caption && t.caption.textContent.trim().startsWith({json.dumps(caption)}))"
            ".map(t => [...t.tBodies[0].rows].map(r => [...r.cells].map(c => c.textContent.trim())))[0] || null"
        )
        assert found is not None, f"no table {caption}"
        return list(found)

    def overflow(self) -> int:
        """By how many pixels the page is wider than its window."""
        return int(self.evaluate(_WIDER))

    def screenshot(self, path: Path, *, whole: bool = False, longest: int = 0) -> None:
        """A PNG of the window, or of the whole page, of at most `longest` pixels height."""
        options: dict[str, Any] = {"format": "png", "captureBeyondViewport": whole}
        if whole:
            size = self.browser.call("Page.getLayoutMetrics", {}, self.session)["cssContentSize"]
            height = min(size["height"], longest or size["height"])
            options["clip"] = {"x": 0, "y": 0, "width": size["width"], "height": height, "scale": 1}
        found = self.browser.call("Page.captureScreenshot", options, self.session)
        path.write_bytes(base64.b64decode(found["data"]))

    def pdf(self) -> bytes:
        """The page as it is printed."""
        found = self.browser.call("Page.printToPDF", {"printBackground": True}, self.session)
        return base64.b64decode(found["data"])

    def close(self) -> None:
        """The page is gone."""
        self.browser.call("Target.closeTarget", {"targetId": self.target})


class Browser:
    """A browser of its own profile in `folder`; the test is skipped where Chromium is not installed (`program`)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pages: dict[str, Page] = {}
        self._loaded: set[str] = set()
        self._answers: dict[int, dict[str, Any]] = {}
        self._received: deque[bytes] = deque()
        self._rest = b""
        self._last = 0

    def __enter__(self) -> Self:
        chromium = program("chromium")
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        ends = [fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, 10) for each in (theirs_in, theirs_out)]
        flags = [*_FLAGS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        words = [chromium, *flags, f"--user-data-dir={self._folder / 'profile'}", "about:blank"]
        kept = {name: os.environ[name] for name in ("PATH", "TMPDIR", "LD_LIBRARY_PATH") if name in os.environ}
        with (self._folder / "chromium.log").open("wb") as log:
            self._process = subprocess.Popen(
                ["/bin/bash", "-c", _INHERITED, "bash", *map(str, ends), *words],
                pass_fds=ends,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=kept | {"HOME": str(self._folder), "LANG": "C.UTF-8"},
                start_new_session=True,
            )
        for each in (theirs_in, theirs_out, *ends):
            os.close(each)
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._send("Browser.close", {}, None)
            self._process.wait(30)
        except (OSError, subprocess.TimeoutExpired):
            pass
        finally:
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)  # the session that was made for it
                self._process.wait(30)
            os.close(self._in)
            os.close(self._out)

    def open(
        self, path: Path | str, *, dark: bool = False, width: int = 1200, height: int = 900, zoom: float = 1
    ) -> Page:
        """The page of a file (or an address), loaded in a window of that width; a narrow one is a phone's."""
        address = path if isinstance(path, str) else path.as_uri()
        target = self.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        session = self.call("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        page = self._pages[session] = Page(self, session, target)
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable", {}, session)
        screen = {"width": width, "height": height, "deviceScaleFactor": zoom, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", screen, session)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", {"features": [scheme]}, session)
        self._loaded.discard(session)
        self.call("Page.navigate", {"url": address}, session)
        while session not in self._loaded:
            self._take(self._message())
        return page

    def call(self, method: str, options: dict[str, Any], session: str | None = None) -> dict[str, Any]:
        """The browser's answer; an error fails the test."""
        number = self._send(method, options, session)
        while number not in self._answers:
            self._take(self._message())
        answer = self._answers.pop(number)
        assert "error" not in answer, (method, answer)
        return dict(answer["result"])

    def _send(self, method: str, options: dict[str, Any], session: str | None) -> int:
        self._last += 1
        message = {"id": self._last, "method": method, "params": options}
        data = json.dumps(message | ({"sessionId": session} if session else {})).encode() + b"\0"
        while data:
            data = data[os.write(self._out, data) :]
        return self._last

    def _message(self) -> dict[str, Any]:
        while not self._received:
            ready, _, _ = select.select([self._in], [], [], _LIMIT)
            block = os.read(self._in, 1 << 20) if ready else b""
            assert block, f"the browser says nothing: {(self._folder / 'chromium.log').read_text('utf-8', 'replace')}"
            *whole, self._rest = (self._rest + block).split(b"\0")
            self._received.extend(whole)
        return dict(json.loads(self._received.popleft()))

    def _take(self, message: dict[str, Any]) -> None:
        """Keep an answer, or what an event says of its page."""
        if "id" in message:
            self._answers[message["id"]] = message
            return
        session, said = message.get("sessionId", ""), message.get("params", {})
        page = self._pages.get(session)
        if page is None:
            return
        match message["method"]:
            case "Page.loadEventFired":
                self._loaded.add(session)
            case "Network.requestWillBeSent":
                page.requests.append(said["request"]["url"])
            case "Network.webSocketCreated":
                page.requests.append(said["url"])
            case "Runtime.consoleAPICalled":
                page.messages.append(f"{said['type']}: {[each.get('value') for each in said['args']]}")
            case "Runtime.exceptionThrown":
                page.messages.append(f"exception: {said['exceptionDetails']}")
            case "Log.entryAdded":
                page.messages.append(f"{said['entry']['level']}: {said['entry']['text']}")
