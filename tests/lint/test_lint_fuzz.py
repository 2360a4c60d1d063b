"""Garbage of every kind through the whole engine: no crash, no hang, and nothing passed over."""

import time
from collections.abc import Iterator

import pytest
from corpora import CORPUS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imdsctl.lint.fixes import mended
from imdsctl.lint.ignore import RULES
from imdsctl.lint.kinds import kind_of
from imdsctl.lint.rulebook import every_reader, every_rule
from imdsctl.lint.run import Selection, judged
from imdsctl.lint.text import decoded

KINDS = sorted(every_reader())
SECONDS = 10
"""Of processor time, for one file; most take milliseconds."""


def _texts() -> Iterator[tuple[str, str]]:
    """Real texts of every kind: the corpora and the rules' examples."""
    for rule in {**every_rule(), **RULES}.values():
        for one in (*rule.bad, *rule.good):
            yield one.name, one.text
    for path in sorted(CORPUS.rglob("*")):
        if path.is_file() and path.name != "expected.toml":
            found = decoded(path.read_bytes())
            if found is not None:
                yield path.name, found.text


SEEDS = [
    (kind, text)
    for name, text in _texts()
    if (kind := kind_of(name, text[:200])) in every_reader() and kind is not None
]
SIGNS = "\"'`{}[]()<>$\\\n\r\t #:;=,&|!@%*~^\0\x0c\ud800é😀"
WORDS = ("${", "$(", "]]>", "<!--", "*/", '"""', "'''", "EOF", "<<EOF\n", "{{", "}}", "\n\n", "- ")
BITS = st.sampled_from((*SIGNS, *WORDS, "!!", "&a", "*a", "http://169.254.169.254/"))


LONG = [
    ("requirements", "boto3==" + "1." * 100_000),
    ("requirements", "a[" * 50_000),
    ("requirements", "boto3==1.9.0\n" * 4_000),
    ("requirements", "# imdsctl: ignore[old-sdk]\n" * 20_000),
    ("npm", '{"a":' * 50_000),
    ("npm", "[" * 100_000),
    ("pyproject", "a = " + "[" * 50_000),
    ("pyproject", "[" * 1000 + "a" + "]" * 1000),
    ("uv-lock", "a." * 20_000 + "b = 1"),
    ("maven", "<a>" * 50_000),
    ("maven", '<!DOCTYPE x [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><project>&b;</project>'),
    ("maven", "<project><properties><a>${b}</a><b>${a}</b></properties></project>"),
    ("msbuild", "<P>" + "<PackageReference Include='AWSSDK' Version='2.1'/> é" * 10_000 + "</P>"),
    ("pnpm-lock", "packages: " + "[" * 5_000),
    ("pnpm-lock", "a: &a [*a, *a]\npackages: *a\n"),
    ("gemfile", "gem(" * 20_000),
    ("gemfile", 'gem "aws-sdk-core", "3.1.0" # é\n' * 5_000),
    ("gradle", "dependencies {" * 20_000),
    ("gradle", "dependencies { " + "'a:b:" * 20_000),
    ("yarn-lock", '"' + "a" * 100_000),
    ("go-mod", "require (" + " v1" * 100_000),
]


@st.composite
def mangled(draw: st.DrawFn) -> tuple[str, str]:
    """A real text with pieces cut out, doubled, put elsewhere, and bits of syntax strewn in."""
    kind, text = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(text)))
        end = min(len(text), at + draw(st.integers(0, 80)))
        what = draw(st.sampled_from(("cut", "twice", "bit", "move", "end")))
        if what == "cut":
            text = text[:at] + text[end:]
        elif what == "twice":
            text = text[:end] + text[at:]
        elif what == "bit":
            text = text[:at] + draw(BITS) * draw(st.sampled_from((1, 1, 1, 2, 50))) + text[at:]
        elif what == "move":
            text = text[:at] + text[end:] + text[at:end]
        else:
            text = text[:at]
    if draw(st.integers(0, 9)) == 0:
        kind = draw(st.sampled_from(KINDS))
    return kind, text


def survives(kind: str, text: str) -> None:
    started = time.process_time()
    report = judged("x", text, kind, Selection())
    assert not [one for one in report.not_read if "failed on it" in one.why], report.not_read
    rows = text.count("\n") + 1
    for one in report.findings:
        place = one.finding.place
        assert 1 <= place.line <= place.end_line <= rows
        assert place.column >= 1
    if any(one.finding.edits for one in report.findings):
        mended("x", text, kind, Selection())
    seconds = time.process_time() - started
    assert seconds < SECONDS, f"{kind}, {len(text)} characters: {seconds:.0f} s; {text[:60]!r}"


@given(mangled())
@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
def test_what_nobody_would_write_ends_soon_and_without_a_crash(case: tuple[str, str]) -> None:
    survives(*case)


@pytest.mark.parametrize(
    ("kind", "text"), LONG, ids=[f"{kind}-{text[:20]!a}" for kind, text in LONG]
)
def test_what_is_long_or_deep_ends_soon(kind: str, text: str) -> None:
    survives(kind, text)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "text",
    [
        *("", "\n" * 1000, "\0", "\ufeff", "\ud800", "(" * 3000, "{" * 3000, '"' * 3001),
        *("\\" * 3001, "a" * 1_000_000, "a b\n" * 50_000),
    ],
    ids=lambda text: f"{text[:3]!a} {len(text)}",
)
def test_nothing_is_too_empty_too_long_or_too_deep(kind: str, text: str) -> None:
    survives(kind, text)
