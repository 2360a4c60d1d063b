"""Safe fixes: shown first, written after a yes, never half."""

import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from commanded import Lint

from imdsctl.cli import lint_fix
from imdsctl.lint import engine, run
from imdsctl.lint.facts import Edit, Fact, Setting, Unparsed
from imdsctl.lint.finding import Example, Rule, Said
from imdsctl.lint.fixes import mended, patch
from imdsctl.lint.run import Selection
from imdsctl.lint.source import Source

OLD = "boto3==1.9.250\n"


@pytest.fixture
def lint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lint:
    return Lint(tmp_path, monkeypatch)


def test_the_patch_is_shown_and_nothing_written_without_a_yes(lint: Lint) -> None:
    path = lint.write("requirements.txt", f"# pinned\n{OLD}")
    said = lint(".", "--fix")
    assert said.code == 5
    assert "-boto3==1.9.250\n+boto3==1.12.6\n" in said.out
    assert "nothing was written" in said.err
    assert path.read_text() == f"# pinned\n{OLD}"


def test_with_yes_it_is_written_and_what_is_left_is_shown(lint: Lint) -> None:
    path = lint.write("a/requirements.txt", f"{OLD}boto==2.49.0\n")
    path.chmod(0o640)
    said = lint(".", "--fix", "--yes")
    assert said.code == 1
    assert "boto 2.49.0" in said.out
    assert path.read_text() == "boto3==1.12.6\nboto==2.49.0\n"
    assert path.stat().st_mode & 0o777 == 0o640
    assert [p.name for p in path.parent.iterdir()] == ["requirements.txt"]
    assert lint(".", "--fix", "--yes").err.startswith("there is nothing that can safely be mended")


def test_the_patch_alone_is_what_git_takes(lint: Lint) -> None:
    path = lint.write("a b/requirements.txt", OLD.rstrip("\n"))
    lint.write("package.json", '{\r\n  "dependencies": {\r\n    "aws-sdk": "2.1.0"\r\n  }\r\n}\r\n')
    said = lint(".", "--diff")
    assert said.code == 0
    assert path.read_text() == OLD.rstrip("\n")
    lint.write("the.patch", said.out)
    subprocess.run(["git", "apply", "--unsafe-paths", "the.patch"], cwd=lint.folder, check=True)
    assert path.read_text() == "boto3==1.12.6"
    assert b'"aws-sdk": "2.722.0"\r\n' in (lint.folder / "package.json").read_bytes()
    assert lint.found(".") == []


def test_standard_input_gives_a_patch(lint: Lint) -> None:
    said = lint("-", "--as", "requirements.txt", "--diff", stdin=OLD)
    assert said.code == 0
    assert "+boto3==1.12.6" in said.out


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("requirements.txt", "boto3==1.9.250 --hash=sha256:00\n"),
        ("requirements.txt", "boto3==1.9.250\nbotocore==1.12.250\n"),
        ("requirements.txt", "boto3>=1.9\n"),
        ("requirements.txt", "boto3>=1.9,==1.9.250\n"),
        ("requirements.txt", "boto==2.49.0\n"),
        ("package.json", '{"dependencies": {"aws-sdk": "^2.1.0"}}'),
        ("package.json", '{"dependencies": {"newrelic": "4.0.0"}}'),
        ("package-lock.json", '{"dependencies": {"aws-sdk": {"version": "2.1.0"}}}'),
        (
            "pom.xml",
            (
                "<project><properties><v>1.11.1</v></properties><dependencies><dependency>"
                "<groupId>com.amazonaws</groupId><artifactId>aws-java-sdk</artifactId>"
                "<version>${v}</version></dependency></dependencies></project>"
            ),
        ),
    ],
)
def test_what_is_not_safe_is_left_to_a_person(lint: Lint, name: str, text: str) -> None:
    path = lint.write(name, text)
    assert lint.found(".")
    assert "nothing that can safely be mended" in lint(".", "--fix", "--yes").err
    assert path.read_text() == text


def test_a_literal_version_of_maven_is_mended(lint: Lint) -> None:
    text = (
        "<project><dependencies><dependency><groupId>com.amazonaws</groupId>"
        "<artifactId>aws-java-sdk</artifactId><version> 1.11.1 </version></dependency>"
        "</dependencies></project>"
    )
    path = lint.write("pom.xml", text)
    assert lint(".", "--fix", "--yes").code == 0
    assert path.read_text() == text.replace("1.11.1", "1.11.678")


def test_ignored_old_and_unwanted_findings_are_not_mended(lint: Lint) -> None:
    ignored = f"{OLD.rstrip()}  # imdsctl: ignore[old-sdk] in a museum\n"
    a = lint.write("a/requirements.txt", ignored)
    b = lint.write("b/requirements.txt", OLD)
    lint("b", "--write-baseline", "old.json")
    for words in (("--baseline", "old.json"), ("--rule", "unused-ignore")):
        lint(".", "--fix", "--yes", *words)
        assert (a.read_text(), b.read_text()) == (ignored, OLD)


def test_a_file_that_changed_meanwhile_is_left_alone(
    lint: Lint, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = lint.write("requirements.txt", OLD)

    def late(*_: object) -> None:
        path.write_text("boto3==1.9.249\n")

    monkeypatch.setattr(lint_fix, "_confirm", late)
    said = lint(".", "--fix")
    assert said.code == 2
    assert "changed while its fix was shown" in said.err
    assert path.read_text() == "boto3==1.9.249\n"


def test_a_write_that_fails_leaves_the_old_content(
    lint: Lint, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = lint.write("requirements.txt", OLD)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    said = lint(".", "--fix", "--yes")
    assert said.code == 2
    assert "No space left" in said.err
    assert path.read_text() == OLD
    assert [p.name for p in path.parent.iterdir()] == ["requirements.txt"]


def test_the_patch_that_is_shown_hides_secrets_and_the_one_to_apply_is_whole(lint: Lint) -> None:
    lint.write("requirements.txt", f"--index-url https://me:hunter2@example.com/simple\n{OLD}")
    assert "hunter2" not in lint(".", "--fix", "--yes").out
    lint.write("requirements.txt", f"--index-url https://me:hunter2@example.com/simple\n{OLD}")
    assert "hunter2" in lint(".", "--diff").out


# A language of two words, to see what happens to edits in texts that are embedded in others:
# `old N` is found and mended to `new` with N lines before it, `>` opens an embedded text whose
# lines have a margin, `broken` is what its parser does not understand.

WORD = re.compile(r"old(\d)?(!)?")


def read(source: Source) -> Iterator[Fact | Source]:
    rows = source.text.split("\n")
    for number, row in enumerate(rows):
        if row.strip() == ">":
            body = []
            for inner in rows[number + 1 :]:
                if not inner.startswith("  "):
                    break
                body.append(inner[2:])
            yield source.embedded("toy-inner", "\n".join(body), number + 2, "a block", 2)
        if row.strip() == "quoted":
            yield source.embedded("toy-inner", rows[number + 1].strip('"'), number + 2, "text", 1)
        if row.strip() == "decoded":
            yield source.embedded("toy-inner", rows[number + 1][::-1], number + 2, "text")
    if source.kind == "toy-inner" or ">" not in source.text:
        for found in WORD.finditer(source.text):
            yield Setting(place=source.place(*found.span()), name="old", value=found[0])
        at = source.text.find("broken")
        if at >= 0:
            yield Unparsed(place=source.place(at, at + 6), why="broken")


def check(source: Source, facts: Iterable[Fact]) -> Iterator[Said]:
    found = list(WORD.finditer(source.text))
    settings = [fact for fact in facts if isinstance(fact, Setting)]
    for fact, one in zip(settings, found, strict=False):
        word = "broken" if one[2] else "new"
        edits = [Edit(start=one.start(), end=one.end(), text=word)]
        start = source.text.rfind("\n", 0, one.start()) + 1
        if one[1]:
            edits.append(Edit(start=start, end=start, text="first\n" * int(one[1])))
        yield Said(place=fact.place, message="old", fix="say new", edits=tuple(edits))


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    rule = Rule(
        title="Old",
        why="It is old.",
        severity="error",
        check=check,
        bad=(Example(name="x", text="old"),),
    )
    readers = {"toy": (read,), "toy-inner": (read,)}
    monkeypatch.setattr(engine, "every_reader", lambda: readers)
    monkeypatch.setattr(engine, "every_rule", lambda: {"old": rule})
    monkeypatch.setattr(run, "every_rule", lambda: {"old": rule})


def after(text: str) -> str:
    return mended("x.toy", text, "toy", Selection()).text


@pytest.mark.usefixtures("toy")
@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ("a old b\n", "a new b\n"),
        ("old old\n", "new new\n"),
        ("oldold\n", "newnew\n"),
        ("  old2\n", "first\nfirst\n  new\n"),
        ("old1 old1\n", "first\nnew new\n"),
        ("old\r\nold1\r\n", "new\r\nfirst\r\nnew\r\n"),
        ("ä old ö\n", "ä new ö\n"),
        (">\n  x old\n  old\nend\n", ">\n  x new\n  new\nend\n"),
        (">\n  x\n  y old1\n", ">\n  x\n  first\n  y new\n"),
        (">\n  old1\n", ">\n  first\n  new\n"),
        ('quoted\n"x old"\n', 'quoted\n"x new"\n'),
    ],
)
def test_edits_come_back_to_the_lines_of_the_file(before: str, expected: str) -> None:
    assert after(before) == expected


@pytest.mark.usefixtures("toy")
@pytest.mark.parametrize(
    "text",
    [
        'quoted\n"x old1"\n',  # a line in a string is no line of the file
        "decoded\ndlo x\n",  # the text is not what the file says
        "old!\n",  # its parser would not understand it any more
    ],
)
def test_what_does_not_come_back_exactly_is_left_out(text: str) -> None:
    result = mended("x.toy", text, "toy", Selection())
    assert (result.text, result.fixed) == (text, 0)


@pytest.mark.usefixtures("toy")
def test_a_fix_that_breaks_the_file_does_not_take_the_others_with_it() -> None:
    result = mended("x.toy", "old\nold!\nold\n", "toy", Selection())
    assert (result.text, result.fixed, result.left) == ("new\nold!\nnew\n", 2, 1)


def test_a_patch_has_what_patch_needs(tmp_path: Path) -> None:
    before, new = "a\nb\x0cc\nd", "a\nb\x0cC\nd\n"
    (tmp_path / "x").write_text(before)
    subprocess.run(
        ["git", "apply", "-"], cwd=tmp_path, check=True, input=patch("x", before, new).encode()
    )
    assert (tmp_path / "x").read_text() == new
