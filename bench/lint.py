"""How many files `imdsctl lint` reads in a second: 10,000 of all kinds, made from the corpora.

Printed as files a second, with one process and with one a processor, of the whole command. How fast
templates are read beside Checkov: `lint_templates.py`.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from imdsctl.lint.kinds import kind_of
from imdsctl.lint.rulebook import every_reader, every_rule

ROOT = Path(__file__).parents[1]
CORPUS = ROOT / "tests" / "lint" / "corpus"
FILES = 10_000


def seeds() -> list[tuple[Path, bytes]]:
    """The corpora's files and the rules' examples."""

    found = [
        (path.relative_to(CORPUS), path.read_bytes())
        for path in sorted(CORPUS.rglob("*"))
        if path.is_file() and path.name != "expected.toml"
    ]
    for name, rule in every_rule().items():
        for number, one in enumerate((*rule.bad, *rule.good)):
            found.append((Path(name) / str(number) / one.name, one.text.encode()))
    return found


def spread(folder: Path) -> Counter[str]:
    """10,000 files, each a seed with a line of its own so that no two are alike."""

    known = [
        (path, data, kind)
        for path, data in seeds()
        if (kind := kind_of(str(path), data[:4096].decode("utf-8", "replace"))) in every_reader()
    ]
    kinds: Counter[str] = Counter()
    for number in range(FILES):
        path, data, kind = known[number % len(known)]
        target = folder / f"copy{number // len(known):04}" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data + b"\n" * (number // len(known)))
        kinds[str(kind)] += 1
    return kinds


def timed(*words: str) -> float:
    """Seconds of a command, whatever it finds."""
    started = time.perf_counter()
    subprocess.run(words, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    imdsctl = str(Path(sys.executable).parent / "imdsctl")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        kinds = spread(folder)
        size = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
        most = ", ".join(f"{n} {k}" for k, n in kinds.most_common(8))
        print(f"{FILES:,} files, {size / 1e6:.1f} MB: {most} …")
        for processes in (1, os.cpu_count() or 1):
            seconds = timed(imdsctl, "lint", name, "--jobs", str(processes), "-o", "json")
            rate = f"{FILES / seconds:8,.0f} files/s  {seconds:6.1f} s"
            print(f"imdsctl lint, {processes} process(es): {rate}")


if __name__ == "__main__":
    main()
