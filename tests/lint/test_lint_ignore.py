"""Comments that let a finding stand, and what is said of bad ones."""

from pathlib import Path

import pytest
from commanded import Lint

from imdsctl.lint.finding import Example
from imdsctl.lint.ignore import RULES, ignores

OLD = "boto3==1.9.250"


@pytest.fixture
def lint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lint:
    return Lint(tmp_path, monkeypatch)


def test_on_the_same_line_and_on_the_line_before(lint: Lint) -> None:
    lint.write("requirements.txt", f"{OLD}  # imdsctl: ignore[old-sdk] runs on Lambda only\n")
    said = lint(".")
    assert said.code == 0
    assert "1 ignored with a reason" in said.out
    lint.write("requirements.txt", f"# imdsctl: ignore[old-sdk] runs on Lambda only\n{OLD}\n")
    assert lint(".").code == 0


def test_it_is_for_one_line_and_one_rule(lint: Lint) -> None:
    lint.write(
        "requirements.txt", f"# imdsctl: ignore[old-sdk] this one only\n{OLD}\nec2-metadata==1.8\n"
    )
    assert lint.found(".") == [("requirements.txt", 3, "old-sdk")]


def test_two_comments_before_a_line_are_both_for_it(lint: Lint) -> None:
    lint.write(
        "requirements.txt",
        f"# imdsctl: ignore[old-sdk] one reason\n# imdsctl: ignore[old-sdk] and another\n{OLD}\n",
    )
    assert lint.found(".") == []


@pytest.mark.parametrize("after", ["", " ", " :", " -- "])
def test_without_a_reason_nothing_is_ignored(lint: Lint, after: str) -> None:
    lint.write("requirements.txt", f"{OLD}  # imdsctl: ignore[old-sdk]{after}\n")
    assert [rule for *_, rule in lint.found(".")] == ["old-sdk", "ignore-without-reason"]
    assert lint(".").code == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"# imdsctl: ignore[old-sdk] gone\nboto3==1.34.0\n# {OLD}\n", "nothing of old-sdk"),
        (f"# imdsctl: ignore[old-sdkk] x\n{OLD}\n", "There is no rule old-sdkk"),
        (f"# imdsctl: ignore[] x\n{OLD}\n", "names no rule"),
    ],
)
def test_one_that_ignores_nothing_is_noted(lint: Lint, text: str, says: str) -> None:
    lint.write("requirements.txt", text)
    rows = [r for r in lint(".", "-o", "json").json["findings"] if r["rule"] == "unused-ignore"]
    assert [(row["line"], row["severity"]) for row in rows] == [(1, "note")]
    assert says in rows[0]["message"]


def test_one_for_a_rule_that_was_not_asked_for_is_not_judged(lint: Lint) -> None:
    lint.write("requirements.txt", "# imdsctl: ignore[old-sdk] gone\nboto3==1.34.0\n")
    assert lint.found(".", "--rule", "unused-ignore") == []


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("go", "// imdsctl: ignore[x] why"),
        ("java", "call(); /* imdsctl: ignore[x] why */"),
        ("maven", "<a/> <!-- imdsctl: ignore[x] why -->"),
        ("systemd", "; imdsctl: ignore[x] why"),
        ("powershell", "<# imdsctl: ignore[x] why #>"),
        ("terraform", "# imdsctl: ignore[x] why"),
        ("terraform", "// imdsctl: ignore[x] why"),
    ],
)
def test_each_language_has_its_own_comments(kind: str, text: str) -> None:
    (one,) = ignores(text + "\n", [kind])
    assert (one.rules, one.reason) == (("x",), "why")


@pytest.mark.parametrize(
    ("kind", "text"),
    [("python", "// imdsctl: ignore[x] why"), ("npm", "# imdsctl: ignore[x] why")],
)
def test_what_is_no_comment_there_ignores_nothing(kind: str, text: str) -> None:
    assert ignores(text + "\n", [kind]) == []


@pytest.mark.parametrize(
    ("name", "example"), [(n, e) for n, rule in RULES.items() for e in (*rule.bad, *rule.good)]
)
def test_the_examples_of_these_rules_are_so(lint: Lint, name: str, example: Example) -> None:
    lint.write(example.name, example.text)
    assert {line for _, line, rule in lint.found(".") if rule == name} == set(example.lines)
