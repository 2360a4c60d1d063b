"""Constraints on versions, each in its package manager's grammar, as lowest and highest version."""

import re
from collections.abc import Callable
from typing import Final, NamedTuple


class Range(NamedTuple):
    """What a constraint allows; an empty end is open.

    `highest` is where it ends, whether that version is included or not. `exact` is one version.
    """

    lowest: str = ""
    highest: str = ""
    exact: bool = False


ANY: Final = Range()
Operators = dict[str, Callable[[str], str]]

_CLAUSE: Final = re.compile(r"(===|==|~=|!=|>=|<=|~>|=>|=<|>|<|=|\^|~)?\s*v?([0-9][\w.*+!-]*)")
_WILD: Final = re.compile(r"\.?(?:[*xX]|\+$).*$")
_LONGEST: Final = 500
_NUMBER: Final = re.compile(r"\d{1,18}")
_PLAIN: Final = re.compile(r"v?\d[\w.!+-]*")


def pinned(version: str) -> Range:
    """Exactly this one."""
    return Range(version, version, exact=True)


def pep440(text: str) -> Range:
    """`>=1.9,<2`, `==1.9.*`, `~=1.9.0` (PEP 440, Version specifiers); a bare version is a pin."""
    return _all(text, {"~=": _compatible})


def poetry(text: str) -> Range:
    """PEP 440 with `^` and `~` (Poetry, Dependency specification); `||` joins alternatives."""
    return _any(text, {"~=": _compatible, "^": _caret, "~": _tilde})


def npm(text: str) -> Range:
    """`^2.1.0`, `~2.1`, `2.x`, `1.2 - 2.3`, `>=2 <3 || 4` (node-semver); `2.1.0` is a pin."""
    text = text.removeprefix("npm:").rpartition("@")[2] if text.startswith("npm:") else text
    if not re.match(r"[\s\d^~<>=v*xX|]", text):
        return ANY  # a tag, a path, an address
    text = re.sub(r"(\S+)\s+-\s+(\S+)", r">=\1 <=\2", text[:_LONGEST])
    return _any(text, {"^": _caret, "~": _tilde}, parts=3)


def composer(text: str) -> Range:
    """`^3.0`, `~3.100`, `3.*` (Composer, Versions and constraints); `|` joins, `@dev` is cut."""
    if text.startswith("dev-"):
        return ANY
    text = re.sub(r"@\w+", "", text[:_LONGEST])
    text = re.sub(r"(\S+)\s+-\s+(\S+)", r">=\1 <=\2", text)
    return _any(text, {"^": _caret, "~": _pessimistic})


def gem(texts: list[str]) -> Range:
    """`~> 2.10`, `>= 2, < 3` (RubyGems, Patterns); each text is one requirement."""
    return _all(",".join(texts)[:_LONGEST], {"~>": _pessimistic})


def maven(text: str) -> Range:
    """`1.11.1`, `[1.0,2.0)`, `[1.0]` (Maven, POM Reference, Dependency version requirement)."""
    text = text.strip()
    if text.startswith(("[", "(")):
        low, comma, high = text.strip("[]()").partition(",")
        if not comma:
            return pinned(low.strip())
        # Several sets are joined by commas; the last one's end is the end.
        return Range(low.strip(), high.rpartition(",")[2].strip())
    return pinned(text) if _PLAIN.fullmatch(text) else ANY


def gradle(text: str) -> Range:
    """Maven's and Ivy's: `1.11.+`, `[1.0,2.0[`, `latest.release`, `1.2!!` (Gradle, Versions)."""
    text = text.strip().removesuffix("!!")
    if text.endswith("+"):
        prefix = text.rstrip("+").rstrip(".")
        return Range(prefix, _next(prefix)) if prefix else ANY
    if text.startswith("]"):
        text = "(" + text[1:]
    return maven(text.removesuffix("[") + ")" if text.endswith("[") else text)


def nuget(text: str) -> Range:
    """`3.3.1`, `[1.0,2.0)`, `3.*` (NuGet, Package versioning).

    NuGet restores the lowest version that a range allows, so that is the one that is there; only a
    floating version is a range.
    """
    if "*" in text:
        prefix = text.partition("*")[0].rstrip(".")
        return Range(prefix, _next(prefix)) if prefix else ANY
    found = maven(text)
    return pinned(found.lowest) if found.lowest else ANY


def key(version: str) -> tuple[int, ...]:
    """What two versions of one grammar are roughly put in order by: their numbers."""
    return tuple(int(number) for number in _NUMBER.findall(version[:_LONGEST]))


def _any(text: str, operators: Operators, parts: int = 0) -> Range:
    """Alternatives: the lowest of all, and the highest."""
    found = [_all(one, operators, parts) for one in re.split(r"\|\|?", text[:_LONGEST])]
    lows = [one.lowest for one in found]
    highs = [one.highest for one in found]
    if len(found) == 1:
        return found[0]
    return Range(min(lows, key=key) if all(lows) else "", max(highs, key=key) if all(highs) else "")


def _all(text: str, operators: Operators, parts: int = 0) -> Range:
    """Clauses that all hold: the highest of their lower ends, the lowest of their upper ones."""
    low, high, exact = "", "", False
    for operator, version in _CLAUSE.findall(text[:_LONGEST]):
        one = _clause(operator, version, operators, parts)
        if one.lowest and (not low or key(one.lowest) > key(low)):
            low = one.lowest
        if one.highest and (not high or key(one.highest) < key(high)):
            high = one.highest
        exact = exact or one.exact
    return Range(low, high, exact)


def _clause(operator: str, version: str, operators: Operators, parts: int) -> Range:
    if operator == "!=":
        return ANY
    if function := operators.get(operator):
        plain = _WILD.sub("", version)
        return Range(plain, function(plain))
    if operator in (">", ">=", "=>"):
        return Range(_WILD.sub("", version), "")
    if operator in ("<", "<=", "=<"):
        return Range("", _WILD.sub("", version))
    wild = _WILD.sub("", version)
    if wild != version:
        return Range(wild, _next(wild)) if wild else ANY
    if parts and version.partition("-")[0].count(".") < parts - 1:
        return Range(version, _next(version))
    return pinned(version)


def _next(version: str) -> str:
    """The first version after all that begin with this one."""
    numbers = list(key(version))
    return ".".join(map(str, [*numbers[:-1], numbers[-1] + 1])) if numbers else ""


def _compatible(version: str) -> str:
    return _pessimistic(version)


def _pessimistic(version: str) -> str:
    """Up to the next of the last part but one: 2.10 to 3, 2.10.1 to 2.11."""
    numbers = list(key(version.partition("-")[0]))
    return _next(".".join(map(str, numbers[:-1] or numbers)))


def _caret(version: str) -> str:
    """Up to the next of the first part that is not zero."""
    numbers = list(key(version.partition("-")[0]))
    for index, number in enumerate(numbers):
        if number:
            return _next(".".join(map(str, numbers[: index + 1])))
    return _next(version)


def _tilde(version: str) -> str:
    """Up to the next minor version; with a major one alone, up to the next of that."""
    numbers = list(key(version.partition("-")[0]))
    return _next(".".join(map(str, numbers[:2])))
