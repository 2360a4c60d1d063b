"""The command line as a person uses it, in a folder of its own."""

import contextlib
import io
import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from imdsctl.cli import main


class Said(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Lint:
    """`imdsctl lint …` in a folder; `stdin` is what is piped into it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self._monkeypatch = monkeypatch
        monkeypatch.chdir(folder)

    def __call__(self, *words: str, stdin: str | bytes = "") -> Said:
        out, err = io.StringIO(), io.StringIO()
        data = stdin if isinstance(stdin, bytes) else stdin.encode()
        self._monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(["lint", *words])
        return Said(code, out.getvalue(), err.getvalue())

    def write(self, name: str, text: str | bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def found(self, *words: str, stdin: str = "") -> list[tuple[str, int, str]]:
        """Path, line and rule of what is found."""
        rows = self(*words, "-o", "json", stdin=stdin).json["findings"]
        return [(row["path"], row["line"], row["rule"]) for row in rows]
