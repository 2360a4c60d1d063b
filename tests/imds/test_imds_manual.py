"""The manual shows the tables that the code runs on."""

import re

from draw_imds import DRAWINGS, MANUAL, redrawn


def test_the_drawings_in_the_manual_are_up_to_date() -> None:
    text = MANUAL.read_text("utf-8")
    assert redrawn(text) == text, "run: python tests/imds/draw_imds.py"


def test_the_manual_shows_every_drawing_once() -> None:
    shown = re.findall(r"<!-- drawn: ([a-z-]+) -->", MANUAL.read_text("utf-8"))
    assert sorted(shown) == sorted(DRAWINGS)


def test_a_stale_drawing_is_noticed() -> None:
    text = MANUAL.read_text("utf-8")
    assert redrawn(text.replace("| `v1` |", "| `v9` |")) == text
    assert text.replace("| `v1` |", "| `v9` |") != text
