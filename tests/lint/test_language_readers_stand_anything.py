"""Whatever a file holds, its reader comes to an end, soon, and without an error."""

import random
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imdsctl.lint.engine import unfolded
from imdsctl.lint.facts import Unparsed
from imdsctl.lint.kinds import kind_of
from imdsctl.lint.source import Source

ROOT = Path(__file__).parent / "corpus" / "languages"
FILES = sorted(path for path in ROOT.rglob("*") if path.suffix not in {".toml", ""})
KINDS = ("python", "javascript", "typescript", "go", "java", "ruby", "powershell")
ADDRESS = "http://169.254.169.254/latest/meta-data/"
LONGEST = 20.0


def went_through(kind: str, text: str) -> list[object]:
    start = time.monotonic()
    facts = [fact for _, found in unfolded(Source("a file", kind, text)) for fact in found]
    assert time.monotonic() - start < LONGEST
    for fact in facts:
        assert 1 <= fact.place.line <= text.count("\n") + 1  # a place that a person can open
    return list(facts)


def mutated(text: str, chance: random.Random) -> str:
    for _ in range(chance.randint(1, 12)):
        a, b = sorted(chance.randint(0, len(text)) for _ in range(2))
        b = min(b, a + 60)
        text = chance.choice(
            [
                text[:a] + text[b:],
                text[:a] + text[a:b] * 3 + text[b:],
                text[:a] + chance.choice("(){}[]\"'`$@#\\\n\0é\ud800") + text[a:],
                text[:b] + text[a:b][::-1] + text[b:],
            ]
        )
    return text


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_damaged_programs_do_no_harm(path: Path) -> None:
    text = path.read_text()
    kind = kind_of(path.name, text)
    assert kind
    for seed in range(12):
        went_through(kind, mutated(text, random.Random(f"{path.name} {seed}")))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_program_in_another_languages_reader_does_no_harm(path: Path) -> None:
    for kind in KINDS:
        went_through(kind, path.read_text())


@settings(max_examples=60, deadline=None)
@given(kind=st.sampled_from(KINDS), text=st.text(max_size=400))
def test_any_text_does_no_harm(kind: str, text: str) -> None:
    went_through(kind, f"{text}\n{ADDRESS}\n{text}")


HARD = {
    "deep brackets": "(" * 50_000 + f'"{ADDRESS}"',
    "deep brackets that end": f"x = {'(' * 5_000}{ADDRESS!r}{')' * 5_000}",
    "deep blocks": "if (x) { " * 5_000 + ADDRESS,
    "a long sum": "x = " + " + ".join([repr(ADDRESS)] * 20_000),
    "a long chain": "x" + ".a()" * 10_000 + f"({ADDRESS!r})",
    "a long list": f"x = [{', '.join([repr(ADDRESS)] * 20_000)}]",
    "an open string": f'x = "{ADDRESS}' + "\\" * 100_000,
    "zeros": "\0" * 100_000 + ADDRESS,
    "one long line": f"x({ADDRESS!r});" * 20_000,
    "many lines": f"x = f({ADDRESS!r})\n" * 30_000,
    "words": f"{ADDRESS} lorem ipsum $x @y `z " * 10_000,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("what", HARD)
def test_hard_texts_of_up_to_a_megabyte_come_to_an_end(kind: str, what: str) -> None:
    assert len(HARD[what]) < 2_000_000
    went_through(kind, HARD[what])


CALLING = {
    "itself": "import requests\ndef f(u):\n    f(u)\n    requests.get(u)\nf('{u}')\n",
    "one another": "import requests\ndef f(u):\n    g(u)\ndef g(u):\n    f(u)\n"
    "    requests.get(u)\nf('{u}')\n",
    "twice each": "import requests\n"
    + "".join(f"def f{n}(u):\n    f{n + 1}(u)\n    f{n + 1}(u + 'a')\n" for n in range(40))
    + "def f40(u):\n    requests.get(u)\nf0('{u}')\n",
    "many times": "import requests\ndef f(u):\n    requests.get(u)\n" + "f('{u}')\n" * 5_000,
}


@pytest.mark.parametrize("how", CALLING)
def test_functions_that_call_without_end_are_left_in_time(how: str) -> None:
    facts = went_through("python", CALLING[how].replace("{u}", ADDRESS))

    assert len(facts) < 100


def test_what_the_grammar_does_not_understand_is_told_with_its_place() -> None:
    text = f"import requests\nrequests.get('{ADDRESS}')\ndef )(:\n    return ]\n"
    facts = went_through("python", text)

    told = [fact for fact in facts if isinstance(fact, Unparsed)]
    assert [fact.place.line for fact in told] == [3]
    assert len(facts) > len(told), "the rest is read all the same"
