"""`imdsctl: ignore[rule] reason`: what a person has looked at and lets stand, said in the file."""

import bisect
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from imdsctl.lint.facts import Place
from imdsctl.lint.finding import Example, Finding, Rule

WITHOUT_REASON: Final = "ignore-without-reason"
UNUSED: Final = "unused-ignore"

_MARKERS: Final = {
    **dict.fromkeys(("javascript", "typescript", "go", "java", "go-mod"), ("//", "/*")),
    **dict.fromkeys(("gradle",), ("//", "/*")),
    **dict.fromkeys(("terraform", "hcl", "packer", "terraform-variables"), ("#", "//", "/*")),
    **dict.fromkeys(("maven", "msbuild", "nuget-config"), ("<!--",)),
    **dict.fromkeys(("systemd", "setup-cfg"), ("#", ";")),
    "powershell": ("#", "<#"),
    "user-data": ("#", ";", "//", "<!--"),
}
"""How a comment begins in a kind of text; with a hash where nothing is said here."""
_NONE: Final = frozenset(
    ("json", "npm", "npm-lock", "pipfile-lock", "nuget-lock", "composer", "composer-lock", "go-sum")
)
"""Kinds without comments: the baseline file is for these."""
_COMMENT: Final = re.compile(
    r"(#|//|/\*|--|;|<!--|<#)\s*imdsctl:\s*ignore\s*\[([^\]\n]*)\]([^\n]*)", re.IGNORECASE
)
_END: Final = re.compile(r"\s*(?:\*/|-->|#>)?\s*$")


def _nothing(*_: object) -> tuple[()]:
    """These rules look at comments and findings, not at facts: see `applied`."""
    return ()


RULES: Final = {
    WITHOUT_REASON: Rule(
        title="Ignored without a reason",
        why=(
            "A finding that is let stand is a decision, and whoever comes next has to know why it "
            "was made. Without a reason the finding stays, and so does this one."
        ),
        severity="warning",
        check=_nothing,
        bad=(
            Example(
                name="requirements.txt",
                text="boto3==1.9.250  # imdsctl: ignore[old-sdk]\n",
                lines=(1,),
            ),
        ),
        good=(
            Example(
                name="requirements.txt",
                text="boto3==1.9.250  # imdsctl: ignore[old-sdk] runs outside of EC2 only\n",
            ),
        ),
    ),
    UNUSED: Rule(
        title="Ignore that ignores nothing",
        why=(
            "What it was there for is gone, or the rule's name is misspelt; left in, it would hide "
            "the next finding of its rule on that line."
        ),
        severity="note",
        check=_nothing,
        bad=(
            Example(
                name="requirements.txt",
                text="# imdsctl: ignore[old-sdk] runs outside of EC2 only\nboto3==1.34.0\n",
                lines=(1,),
            ),
        ),
        good=(
            Example(
                name="requirements.txt",
                text="# imdsctl: ignore[old-sdk] runs outside of EC2 only\nboto3==1.9.250\n",
            ),
        ),
    ),
}
"""The rules about ignoring, which look at what the others found."""


@dataclass(frozen=True, slots=True)
class Ignore:
    """One comment: which rules, why, where it stands and which line it is about."""

    rules: tuple[str, ...]
    reason: str
    place: Place
    line: int


def ignores(text: str, kinds: Iterable[str]) -> list[Ignore]:
    """The comments of a file.

    A comment is for its own line; alone on a line it is for the next one that is not such a
    comment.

    Args:
        text: the file's text.
        kinds: what it is and what it embeds, which says how comments begin in it.
    """
    markers = {m for kind in kinds if kind not in _NONE for m in _MARKERS.get(kind, ("#",))}
    if "ignore" not in text or not markers:
        return []
    rows = text.split("\n")
    found = []
    about_next = len(rows) - 1
    for index in range(len(rows) - 1, -1, -1):
        row = rows[index]
        comment = next((c for c in _COMMENT.finditer(row) if c[1] in markers), None)
        if comment is None:
            about_next = index
            continue
        alone = not row[: comment.start()].strip()
        about_next = about_next if alone else index
        reason = _END.sub("", comment[3]).strip(" \t:–-")
        place = Place(index + 1, comment.start() + 1, index + 1, len(row.rstrip()) or 1)
        names = tuple(n.strip() for n in comment[2].split(",") if n.strip())
        found.append(Ignore(names, reason, place, about_next + 1))
    return found[::-1]


def applied(
    findings: Sequence[Finding],
    comments: Sequence[Ignore],
    path: str,
    ran: frozenset[str],
    known: frozenset[str],
) -> tuple[list[Finding], int]:
    """The findings that stay, with what is wrong about the comments; and how many were ignored.

    Args:
        findings: of one file.
        comments: of the same.
        path: its name.
        ran: the rules that were asked for: a comment for another one is not looked at.
        known: all rules.
    """
    used: set[int] = set()
    stay = []
    order = sorted(range(len(comments)), key=lambda number: comments[number].line)
    lines = [comments[number].line for number in order]
    for finding in findings:
        first = bisect.bisect_left(lines, finding.place.line)
        last = bisect.bisect_right(lines, finding.place.end_line)
        near = ((number, comments[number]) for number in order[first:last])
        if at := [n for n, one in near if one.reason and finding.rule in one.rules]:
            used.update(at)
        else:
            stay.append(finding)
    ignored = len(findings) - len(stay)
    for number, one in enumerate(comments):
        stay += [f for f in _about(one, path, ran, known, used=number in used) if f.rule in ran]
    return stay, ignored


def _about(
    one: Ignore, path: str, ran: frozenset[str], known: frozenset[str], *, used: bool
) -> Iterator[Finding]:
    def say(rule: str, message: str, fix: str) -> Finding:
        return Finding(
            rule=rule,
            severity=RULES[rule].severity,
            confidence="high",
            message=message,
            fix=fix,
            path=path,
            place=one.place,
        )

    unknown = [name for name in one.rules if name not in known]
    if not one.reason:
        yield say(
            WITHOUT_REASON,
            "This ignores without saying why, so it ignores nothing.",
            "Write the reason after the bracket.",
        )
    elif not one.rules:
        yield say(UNUSED, "This names no rule.", "Write the rule's name into the bracket.")
    elif unknown:
        yield say(
            UNUSED,
            f"There is no rule {', '.join(unknown)}.",
            "See the names: imdsctl lint --list-rules.",
        )
    elif not used and ran.issuperset(one.rules):
        yield say(
            UNUSED,
            f"There is nothing of {', '.join(one.rules)} here to ignore.",
            "Take the comment out.",
        )
