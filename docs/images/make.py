"""Draw the README's pictures again from a real demo: `python docs/images/make.py`.

Needs Chromium for the report's picture.
"""

# ruff: noqa: S603, S607, T201, INP001 - a maintainer's script that runs our own commands

import os
import pty
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

HERE = Path(__file__).parent
WIDTH = 88
SECTIONS = ("3. Apply it.", "5. The rest is fine.")


def demo(folder: str) -> str:
    """The demo's output as a terminal shows it."""
    command = [sys.executable, "-m", "imdsctl", "demo", "--directory", folder]
    master, slave = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(WIDTH), "TERM": "xterm-256color"}
    process = subprocess.Popen(command, stdout=slave, stderr=slave, env=environment)
    os.close(slave)
    pieces = []
    try:
        while piece := os.read(master, 65536):
            pieces.append(piece)
    except OSError:  # how Linux says that the other end of the terminal closed
        pass
    if process.wait() != 0:
        sys.exit("the demo failed")
    return b"".join(pieces).decode().replace("\r\n", "\n")


def main() -> None:
    """Draw both."""
    with tempfile.TemporaryDirectory() as folder:
        said = demo(folder)
        first, last = (said.rindex("\n", 0, said.index(start)) for start in SECTIONS)
        console = Console(record=True, width=WIDTH, file=open(os.devnull, "w"), force_terminal=True)  # noqa: SIM115, PTH123 - closed with the process
        console.print(Text.from_ansi(said[first:last].rstrip()))
        svg = console.export_svg(title="make demo")
        # The reader's own monospace font will do; a picture should fetch nothing.
        svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)
        (HERE / "demo.svg").write_text(svg.replace("Fira Code, ", ""), encoding="utf-8")
        subprocess.run(
            [
                "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                "--disable-background-networking", f"--user-data-dir={folder}/browser",
                "--window-size=1100,1000", f"--screenshot={HERE / 'report.png'}",
                f"file://{folder}/report.html",
            ],
            check=True, capture_output=True,
        )  # fmt: skip
    print("drew demo.svg and report.png")


if __name__ == "__main__":
    main()
