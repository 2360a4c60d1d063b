"""Versions to put in order, and the ecosystems' own tools to ask for it."""

import json
import random
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

SEEDS = {
    "pypi": "1.0 1.0.0 1.0.dev1 1.0a1 1.0a1.dev2 1.0b2 1.0rc1 1.0c1 1.0.post1 1.0-1 1.0.post1.dev3 "
    "1!0.9 1.0+local.1 1.0+local.a 1.0+1 v1.0 1.13.24 1.13.25 1.12.253 2.0 1.0alpha 1.0_beta3 "
    "1.0-preview2 1.0.rev4 0 0.0 1.10 1.9",
    "npm": "1.0.0 v1.0.0 1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 "
    "1.0.0-beta.11 1.0.0-rc.1 1.0.0+build 2.575.0 2.574.0 2.722.0 1.0.0-gamma.1 10.0.0 1.0.0-1 "
    "1.0.0-a.b.c 1.0.0-0.3.7 1.0.0--",
    "deb": "1.0 1.0-1 1.0-1.1 1.0~rc1 1.0~rc1-1 1.0~~ 1:0.9 1.0+dfsg-1 1.0a 1.0.1 1.0+b1 0:1.0 "
    "1.13.25+repack-1 2.3.814.0-1 1.0-0ubuntu1 1.0-1~bpo11+1 1.0.a 1.0. 00.1 1.0-1.",
    "rpm": "1.0 1.0.0 1.0-1 1.0-1.amzn2 1.0~rc1 1.0~rc1-1 1.0^git1 1.0^git1~pre 1.0a 1.0.a 1.0.1 "
    "1:0.9 1.0.01 1_0 1.0.. 1.13.25-1.amzn2.0.1 2.3.814.0 1.0^ 1.0~ 1.0.1^20160101 1.0^20160102 "
    "xyz10 xyz10.1 xyz.4 8 2.0 10abc 10.1xyz 1.0~rc1^git1",
    "rubygems": "1.0 1.0.0 1 1.0.a 1.0.rc1 1.0.0.rc2 1.0-1 1.0.b10 1.0.b9 3.79.0 3.78.1 3.0.0.rc1 "
    "2.11.401 2.11 0 1.0.a.2 1.8.2.a10 1.8.2.a9 5.x 1.0.0.pre1",
    "maven": "1 1.0 1.0.0 1-alpha 1-a1 1-alpha-1 1-beta 1-m2 1-rc 1-cr2 1-SNAPSHOT 1.0-ga "
    "1.0.final 1-sp 1-sp-1 1-abc 1.1 1-1 1.11.678 1.11.563 2.10.21 1.x 1-1.foo-bar1baz-.1 "
    "1.0.RC1 1.0.RC2 "
    "2.0-1 2.0.1 2-1 1.0-alpha.1 20201112 1.0.0.RELEASE 1-0.beta 1..2 1--2 1.0.0-20190101.1-1 "
    "a b1 1a1 1.a1 xyz",
}  # fmt: skip
_PARTS = {
    "pypi": ["1", "0", "2", "10", ".1", ".0", "a1", "rc2", ".dev1", ".post2", "+l1"],
    "npm": ["1", "2", "0"],
    "deb": ["1", "0", "a", "z", ".", "+", "~", "10", "b", "-1"],
    "rpm": ["1", "0", "a", "Z", ".", "_", "~", "^", "10", "b", "-1"],
    "rubygems": ["1", "0", ".a", ".2", ".10", ".0", "rc", ".rc1"],
    "maven": ["1", "0", "a", "rc", "sp", ".", "-", "10", "final", "snapshot", "x"],
}


def pairs(ecosystem: str, valid: Sequence[str], count: int = 400) -> list[tuple[str, str]]:
    """Every pair of the seeds that fits in, and pairs of made up ones; the same at every run."""
    dice = random.Random(ecosystem)
    every = [(a, b) for a in valid for b in valid]
    return dice.sample(every, min(count, len(every)))


def versions(ecosystem: str) -> list[str]:
    """The seeds, and as many made up ones."""
    dice = random.Random(ecosystem)
    seeds = SEEDS[ecosystem].split()
    made = []
    for _ in range(len(seeds)):
        if ecosystem == "npm":
            tail = dice.choice(["", "-a", "-1", "-a.1", "-1.a", "+b"])
            made.append(".".join(str(dice.randrange(12)) for _ in range(3)) + tail)
        else:
            text = "".join(dice.choices(_PARTS[ecosystem], k=dice.randrange(1, 6)))
            made.append(text if text[0].isdigit() else "1" + text)
    return [*seeds, *made]


def tool(*names: str) -> bool:
    """Whether all of these are on the machine."""
    return all(map(shutil.which, names))


def _lines(words: Sequence[str], given: str, folder: Path | None = None) -> list[int]:
    done = subprocess.run(
        words, input=given, capture_output=True, text=True, check=True, cwd=folder, timeout=120
    )
    return [int(line) for line in done.stdout.split()]


def by_dpkg(asked: list[tuple[str, str]]) -> list[int]:
    """`dpkg --compare-versions`, all in one shell."""
    script = 'while read -r a b; do if dpkg --compare-versions "$a" lt "$b"; then echo -1; elif '
    script += 'dpkg --compare-versions "$a" gt "$b"; then echo 1; else echo 0; fi; done 2>/dev/null'
    return _lines(["sh", "-c", script], "".join(f"{a} {b}\n" for a, b in asked))


def by_rpm(asked: list[tuple[str, str]]) -> list[int]:
    """`rpm.ver` of rpm's own Lua."""
    quoted = [f"print(rpm.vercmp({json.dumps(a)},{json.dumps(b)})..' ')" for a, b in asked]
    return _lines(["rpm", "--eval", "%{lua:" + " ".join(quoted) + "}"], "")


def by_ruby(asked: list[tuple[str, str]]) -> list[int]:
    """`Gem::Version`."""
    script = "STDIN.each_line{|l| a,b=l.split.map{|v| Gem::Version.new(v)}; puts(a<=>b)}"
    return _lines(["ruby", "-e", script], "".join(f"{a} {b}\n" for a, b in asked))


def by_node(asked: list[tuple[str, str]]) -> list[int]:
    """The semver that npm itself uses."""
    root = subprocess.run(["npm", "root", "-g"], capture_output=True, text=True, check=True)
    places = [Path(root.stdout.strip()) / "npm/node_modules", Path("/usr/share/nodejs")]
    place = next(p for p in places if (p / "semver").exists())
    script = f"const s=require({json.dumps(str(place / 'semver'))});"
    script += "for (const [a,b] of JSON.parse(require('fs').readFileSync(0))) "
    script += "console.log(s.compare(a,b))"
    return _lines(["node", "-e", script], json.dumps(asked))


MAVEN = next(
    (p for p in map(Path, ["/usr/share/maven/lib/maven-artifact-3.x.jar"]) if p.exists()), None
)


def by_maven(asked: list[tuple[str, str]]) -> list[int]:
    """`ComparableVersion`'s own main: it compares each argument with the one before."""
    flat = [version for pair in asked for version in pair]
    jars = ":".join(str(p) for p in Path("/usr/share/maven/lib").glob("*.jar"))
    words = ["java", "-cp", jars, "org.apache.maven.artifact.versioning.ComparableVersion", *flat]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=120)
    signs = [
        {"<": -1, "=": 0, ">": 1}[line.split()[1][0]]
        for line in done.stdout.splitlines()
        if line.startswith("   ")
    ]
    return signs[::2]
