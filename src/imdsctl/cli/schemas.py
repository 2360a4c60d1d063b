"""Writing the JSON Schemas of every answer: `python -m imdsctl.cli.schemas docs/schemas`."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from imdsctl.cli.answers import ANSWERS
from imdsctl.report.data import ReportData


def schemas() -> dict[str, str]:
    """Each schema's file name, and its text (JSON Schema 2020-12)."""
    found: dict[str, Any] = {**ANSWERS, "report": ReportData}
    return {f"{name}.json": _text(name, answer) for name, answer in found.items()}


def _text(name: str, answer: Any) -> str:
    body = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"imdsctl/{name}/v1",
        **msgspec.json.schema(answer),
    }
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n"


def main(arguments: Sequence[str]) -> None:
    """Write them into the folder that is named."""
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in schemas().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
