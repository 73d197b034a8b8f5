"""A real Chromium without a screen, driven over WebDriver: plain JSON over HTTP, no library."""

from __future__ import annotations

import base64
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["Browser", "missing", "open_browser"]

_FLAGS = [
    "--headless=new", "--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--window-size=1280,800", "--hide-scrollbars",
]  # fmt: skip


def missing() -> str:
    """Return which of the two programs is not here, or nothing."""
    return ", ".join(p for p in ("chromium", "chromedriver") if shutil.which(p) is None)


class Browser:
    """One open page."""

    def __init__(self, address: str, session: str) -> None:
        self._at = f"{address}/session/{session}"

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        head = {"Content-Type": "application/json"}
        request = urllib.request.Request(self._at + path, data, head, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            with error:
                told = error.read().decode()
            raise AssertionError(told) from None

    def open(self, page: Path) -> None:
        self.ask("POST", "/url", {"url": page.resolve().as_uri()})
        deadline = time.monotonic() + 90
        while not self.run("return !!window.cim"):
            assert time.monotonic() < deadline, f"the page never got ready: {self.console()}"
            time.sleep(0.1)

    def run(self, script: str, *arguments: Any) -> Any:
        return self.ask("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def click(self, x: float, y: float) -> None:
        move = {"type": "pointerMove", "duration": 0, "x": round(x), "y": round(y)}
        down, up = {"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}
        self._hand([move, down, up])

    def drag(self, x: float, y: float, dx: float, dy: float) -> None:
        self._hand(
            [
                {"type": "pointerMove", "duration": 0, "x": round(x), "y": round(y)},
                {"type": "pointerDown", "button": 0},
                {"type": "pointerMove", "duration": 50, "x": round(x + dx), "y": round(y + dy)},
                {"type": "pointerUp", "button": 0},
            ]
        )

    def _hand(self, moves: list[dict[str, Any]]) -> None:
        mouse = {"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}}
        self.ask("POST", "/actions", {"actions": [{**mouse, "actions": moves}]})

    def picture(self) -> Any:
        """Return what the page shows as an array (h, w, 3)."""
        import io

        import numpy as np
        from PIL import Image

        png = base64.b64decode(self.ask("GET", "/screenshot"))
        return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).copy()

    def console(self) -> list[str]:
        """Return warnings and errors of the page so far; each is told once."""
        told = self.ask("POST", "/se/log", {"type": "browser"})
        return [line["message"] for line in told if line["level"] in ("WARNING", "SEVERE")]

    def requests(self) -> list[str]:
        """Return the addresses asked for so far, those inside the page left out."""
        lines = self.ask("POST", "/se/log", {"type": "performance"})
        asked = [json.loads(line["message"])["message"] for line in lines]
        sent = [m["params"] for m in asked if m["method"] == "Network.requestWillBeSent"]
        urls = [one["request"]["url"] for one in sent]
        return [u for u in urls if not u.startswith(("data:", "blob:", "chrome:"))]


@contextmanager
def open_browser(folder: Path) -> Iterator[Browser]:
    """Yield a browser with an empty profile in `folder`; it ends with the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    with (folder / "driver.log").open("wb") as log:
        driver = subprocess.Popen(
            [shutil.which("chromedriver") or "", f"--port={port}"], stdout=log, stderr=log
        )
        try:
            browser = Browser(address, _start(address, folder / "profile"))
            yield browser
            browser.ask("DELETE", "")
        finally:
            driver.terminate()
            driver.wait(timeout=30)


def _start(address: str, profile: Path) -> str:
    options = {"binary": shutil.which("chromium"), "args": [*_FLAGS, f"--user-data-dir={profile}"]}
    wanted = {
        "browserName": "chrome",
        "goog:chromeOptions": options,
        "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
    }
    body = json.dumps({"capabilities": {"alwaysMatch": wanted}}).encode()
    for attempt in range(100):
        request = urllib.request.Request(
            f"{address}/session", body, {"Content-Type": "application/json"}, method="POST"
        )
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return str(json.load(answer)["value"]["sessionId"])
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(error.read().decode()) from None
        except OSError:
            if attempt == 99:
                raise
            time.sleep(0.1)
    raise AssertionError("chromedriver does not answer")
