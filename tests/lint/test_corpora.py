"""All corpora together: how much lint finds of what there is, and how much of it is so."""

import sys
from functools import reduce

import pytest
from corpora import Score, areas, expected, score


def test_precision_and_recall_over_all_areas(capsys: pytest.CaptureFixture[str]) -> None:
    scores = {area.name: score(area) for area in areas()}
    total = reduce(Score.plus, scores.values())
    with capsys.disabled():
        sys.stdout.write("\n")
        for name, one in scores.items():
            sys.stdout.write(f"{name:14} {len(expected_files(name)):>4} files  {one}\n")
        sys.stdout.write(f"{'all':24}  {total}\n")
        sys.stdout.writelines(f"  missed: {why}\n" for why in total.explained)
    assert total.missed == []
    assert total.false == []
    assert total.found > 0


def expected_files(name: str) -> list[str]:
    (area,) = [area for area in areas() if area.name == name]
    return list(expected(area))


def test_every_file_in_a_corpus_is_spoken_of() -> None:
    for area in areas():
        there = {
            str(path.relative_to(area))
            for path in area.rglob("*")
            if path.is_file() and path.name not in ("expected.toml", "README.md")
        }
        assert set(expected(area)) <= there, area.name
