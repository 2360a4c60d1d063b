"""Our orders are those of the ecosystems' own tools, on the same hundreds of pairs."""

from collections.abc import Callable

import orders
import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from imdsctl.software.shape import ECOSYSTEMS
from imdsctl.software.versions import UnknownVersionError, compare, upstream

Judge = Callable[[list[tuple[str, str]]], list[int]]


def by_packaging(asked: list[tuple[str, str]]) -> list[int]:
    return [(Version(a) > Version(b)) - (Version(a) < Version(b)) for a, b in asked]


JUDGES: dict[str, tuple[Judge, bool]] = {
    "pypi": (by_packaging, True),
    "npm": (orders.by_node, orders.tool("node", "npm")),
    "deb": (orders.by_dpkg, orders.tool("dpkg")),
    "rpm": (orders.by_rpm, orders.tool("rpm")),
    "rubygems": (orders.by_ruby, orders.tool("ruby")),
    "maven": (orders.by_maven, orders.tool("java") and orders.MAVEN is not None),
}


def understood(ecosystem: str, version: str) -> bool:
    try:
        compare(ecosystem, version, version)
    except UnknownVersionError:
        return False
    return True


@pytest.mark.parametrize("ecosystem", JUDGES)
def test_every_pair_is_ordered_as_the_own_tool_orders_it(ecosystem: str) -> None:
    judge, there = JUDGES[ecosystem]
    if not there:
        pytest.skip(f"no tool that orders versions of {ecosystem} on this machine")
    seeds = orders.SEEDS[ecosystem].split()
    assert [v for v in seeds if not understood(ecosystem, v)] == []
    valid = [v for v in orders.versions(ecosystem) if understood(ecosystem, v)]
    asked = orders.pairs(ecosystem, valid)
    ours = [compare(ecosystem, a, b) for a, b in asked]
    theirs = judge(asked)
    wrong = [
        f"{a} against {b}: {mine}, not {their}"
        for (a, b), mine, their in zip(asked, ours, theirs, strict=True)
        if mine != their
    ]
    assert wrong == []
    assert {-1, 0, 1} <= set(ours)


@pytest.mark.parametrize(
    ("ecosystem", "ascending"),
    [
        # Go Modules Reference, "Pseudo-versions" and "Versions".
        ("go", "v0.0.0-20191109021931-daa7c04131f5 v0.19.0 v1.0.0-rc.1 v1.0.0+incompatible"),
        ("go", "v1.25.37 v1.25.38-0.20191119021931-daa7c04131f5 v1.25.38 v2.0.0"),
        ("nuget", "3.3.103 3.3.103.1 3.3.103.65 3.3.103.66-beta1 3.3.103.66 3.7 4.0.0.0"),
        ("composer", "2.8.31 3.0.0-beta.1 v3.0.0 3.147.6 3.147.7 3.300"),
        # apk-tools' own test data, and apk-package(5).
        ("apk", "0.1.0_alpha 0.1.0_beta1 0.1.0_pre2 0.1.0_rc1 0.1.0 0.1.0-r1 0.1.0_p1 0.1.0a"),
        ("apk", "0.1.3 1.0.01 1.0.1 1.1 10"),
        ("snap", "2.3.814.0 2.3.1205.0 3.0.431.0 3.2"),
    ],
)  # fmt: skip
def test_documented_orders_hold(ecosystem: str, ascending: str) -> None:
    versions = ascending.split()
    for at, older in enumerate(versions):
        for newer in versions[at + 1 :]:
            assert compare(ecosystem, older, newer) < 0, f"{older} against {newer}"
            assert compare(ecosystem, newer, older) > 0, f"{newer} against {older}"


@pytest.mark.parametrize(
    ("ecosystem", "version", "plain"),
    [
        ("deb", "1:1.13.25+dfsg-2~bpo10+1", "1.13.25"),
        ("deb", "2.0+really1.13.20-1", "1.13.20"),
        ("deb", "7.63.0-1", "7.63.0"),
        ("rpm", "1:1.13.20-1.amzn2.0.1", "1.13.20"),
        ("apk", "1.16.100-r3", "1.16.100"),
        ("pypi", "1.13.25", "1.13.25"),
    ],
)
def test_what_a_distribution_adds_is_taken_off(ecosystem: str, version: str, plain: str) -> None:
    assert upstream(ecosystem, version) == plain


@pytest.mark.parametrize(
    ("ecosystem", "text"),
    [("pypi", "latest"), ("npm", "^1.2.3"), ("npm", "file:../x"), ("composer", "dev-main"),
     ("go", "(devel)"), ("deb", ""), ("rpm", ""), ("maven", " "), ("apk", "edge"),
     ("rubygems", "1..2"), ("pypi", "1." * 4000)],
)  # fmt: skip
def test_what_is_no_version_is_said_to_be_none(ecosystem: str, text: str) -> None:
    with pytest.raises(UnknownVersionError):
        compare(ecosystem, text, "1.0.0")


_TEXT = st.text(max_size=300) | st.text(alphabet="0123456789.-_~^+:abrcv", max_size=300)


@pytest.mark.parametrize("ecosystem", ECOSYSTEMS)
@given(left=_TEXT, right=_TEXT)
def test_no_text_makes_it_crash_and_the_order_is_antisymmetric(
    ecosystem: str, left: str, right: str
) -> None:
    try:
        there = compare(ecosystem, left, right)
        back = compare(ecosystem, right, left)
    except UnknownVersionError:
        return
    assert there == -back
    assert compare(ecosystem, left, left) == 0
