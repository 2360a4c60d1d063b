"""The report in a real browser, driven over its debugging pipe."""

import base64
import json
import os
import select
import shutil
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from report_fleet import NOW, World, demo_world, large_world

from imdsctl.report.collect import collect
from imdsctl.report.html import render_html

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
)


class Browser:
    """Chromium, spoken to in DevTools messages that end with a NUL byte."""

    def __init__(self, profile: Path) -> None:
        to_read, self._write = os.pipe()
        self._read, to_write = os.pipe()
        # Chromium reads messages from descriptor 3 and writes them to descriptor 4.
        self.process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{to_read} 4>&{to_write}', "-", str(CHROMIUM), *FLAGS,
             f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(to_read, to_write), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(to_read)
        os.close(to_write)
        self._buffer = b""
        self._number = 0
        self.events: list[dict[str, Any]] = []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session: str | None = None
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if session := getattr(self, "session", None):
            message["sessionId"] = session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result
            self.events.append(answer)

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read], [], [], 60)
            assert ready, "chromium has not answered for a minute"
            chunk = os.read(self._read, 1 << 16)
            assert chunk, "chromium went away"
            self._buffer += chunk
        line, self._buffer = self._buffer.split(b"\0", 1)
        message: dict[str, Any] = json.loads(line)
        return message

    def open(self, path: Path, width: int, *, dark: bool = False) -> None:
        self.events.clear()
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=1000, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])
        self.ask("Page.navigate", url=path.as_uri())
        while not any(e.get("method") == "Page.loadEventFired" for e in self.events):
            self.events.append(self._receive())

    def value(self, expression: str) -> Any:
        result = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        return result["result"].get("value")

    def named(self, method: str) -> list[dict[str, Any]]:
        self.value("0")  # lets what is still under way arrive
        return [e["params"] for e in self.events if e.get("method") == method]

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(10)
        os.close(self._read)
        os.close(self._write)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    chromium = Browser(tmp_path_factory.mktemp("profile"))
    yield chromium
    chromium.close()


def written(world: World, folder: Path) -> Path:
    data = collect(
        world.store,
        world.journal,
        verdicts=world.verdicts,
        paths=world.paths,
        plan=world.plan,
        now=NOW,
    )
    path = folder / "report.html"
    path.write_text(render_html(data), "utf-8")
    return path


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(demo_world(), tmp_path_factory.mktemp("report"))


def test_it_loads_with_no_complaint_and_no_request_but_itself(browser: Browser, page: Path) -> None:
    browser.open(page, 1000)
    requests = [r["request"]["url"] for r in browser.named("Network.requestWillBeSent")]
    assert requests == [page.as_uri()]
    assert browser.named("Log.entryAdded") == []
    assert browser.named("Runtime.exceptionThrown") == []


def test_a_complaint_would_be_seen(browser: Browser, page: Path, tmp_path: Path) -> None:
    spoilt = tmp_path / "spoilt.html"
    spoilt.write_text(page.read_text("utf-8").replace("<main", '<img src="x.png"><main'), "utf-8")
    browser.open(spoilt, 1000)
    assert "Content Security Policy" in browser.named("Log.entryAdded")[0]["entry"]["text"]


def test_its_own_style_is_let_through_by_its_own_policy(browser: Browser, page: Path) -> None:
    browser.open(page, 1000)
    assert browser.value("getComputedStyle(document.querySelector('table')).borderCollapse") == (
        "collapse"
    )


@pytest.mark.parametrize("width", [800, 390])
def test_nothing_sticks_out_sideways(browser: Browser, page: Path, width: int) -> None:
    browser.open(page, width)
    assert browser.value("document.documentElement.scrollWidth") <= width


def test_on_a_narrow_screen_rows_stay_rows(browser: Browser, page: Path) -> None:
    """What does not fit is scrolled to; no column is squeezed until its words stand on end."""
    browser.open(page, 390)
    tables = "[...document.querySelectorAll('.scroll > table:not(.narrow)')]"
    assert browser.value(f"Math.min(...{tables}.map(t => t.clientWidth))") > 600
    chart = "document.querySelector('figure .scroll').scrollWidth"
    assert browser.value(chart) > 600


def test_at_800_pixels_no_table_has_to_be_scrolled(browser: Browser, page: Path) -> None:
    browser.open(page, 800)
    wide = "[...document.querySelectorAll('.scroll')].filter(d => d.scrollWidth > d.clientWidth)"
    assert browser.value(f"{wide}.map(d => d.querySelector('caption').textContent)") == []


@pytest.mark.parametrize(
    ("dark", "ground"), [(False, "rgb(255, 255, 255)"), (True, "rgb(20, 23, 26)")]
)
def test_it_follows_the_colour_scheme_and_so_does_the_chart(
    browser: Browser, page: Path, ground: str, *, dark: bool
) -> None:
    browser.open(page, 1000, dark=dark)
    assert browser.value("getComputedStyle(document.body).backgroundColor") == ground
    bar = "document.querySelector('.marks [aria-roledescription=bar]')"
    assert browser.value(f"getComputedStyle({bar}).fill") == (
        "rgb(245, 167, 66)" if dark else "rgb(180, 83, 9)"
    )


def test_printed_on_a4_it_loses_nothing(browser: Browser, page: Path) -> None:
    browser.open(page, 1000)
    pdf = base64.b64decode(browser.ask("Page.printToPDF", preferCSSPageSize=True)["data"])
    assert pdf.startswith(b"%PDF")
    assert b"/MediaBox [0 0 594.95996 841.91998]" in _pages(pdf)
    # In the print layout every table is as wide as the page at most.
    browser.ask("Emulation.setEmulatedMedia", media="print")
    browser.ask(
        "Emulation.setDeviceMetricsOverride",
        width=688, height=1000, deviceScaleFactor=1, mobile=False,
    )  # fmt: skip
    wide = (
        "[...document.querySelectorAll('table')].filter(t => t.getBoundingClientRect().right > 688)"
    )
    assert browser.value(f"{wide}.map(t => t.caption.textContent)") == []
    browser.ask("Emulation.setEmulatedMedia", media="")


def _pages(pdf: bytes) -> bytes:
    """The file with its compressed streams appended, for looking things up in it."""
    found = pdf
    for part in pdf.split(b"stream\n")[1:]:
        try:
            found += zlib.decompressobj().decompress(part)
        except zlib.error:
            continue
    return found


def test_a_large_fleet_still_opens(browser: Browser, tmp_path: Path) -> None:
    browser.open(written(large_world(20_000), tmp_path), 800)
    assert "20,000" in browser.value("document.querySelector('.figures').textContent")
    assert browser.value("document.documentElement.scrollWidth") <= 800
