"""How fast a tree is audited, beside a bare walk and `find`, and what finders cost.

    python bench/audit_speed.py [--files 200000] [--root DIR]

Without --root, a tree is made: folders of small files as a host has them, with a package database,
Python and Node packages, jars and programs among them. Each is run three times, the best counts:
the files are in memory then, so this is the cost of looking, not that of the disk.
"""

import argparse
import io
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

from imdsctl.host.audit import audit

A_FOLDER = 100


def plant(root: Path, files: int) -> None:
    """A tree of so many files."""
    jar = io.BytesIO()
    with zipfile.ZipFile(jar, "w") as archive:
        for number in range(200):
            archive.writestr(f"org/example/C{number}.class", b"x" * 400)
    program = Path(sys.executable).resolve().read_bytes()[:1_000_000]
    endings = (".py", ".js", ".txt", ".so", "", ".h", ".json", ".conf", ".png", ".mo")
    for folder in range(files // A_FOLDER):
        place = root / f"usr/share/d{folder // 100}/d{folder}"
        place.mkdir(parents=True)
        for number in range(A_FOLDER - 1):
            (place / f"f{number}{endings[number % len(endings)]}").write_bytes(b"x" * 100)
        if folder % 10 == 0:
            (place / "lib.jar").write_bytes(jar.getvalue())
        if folder % 20 == 0:
            (place / "tool").write_bytes(program)
            (place / "tool").chmod(0o755)
    stanza = "Package: p{0}\nStatus: install ok installed\nVersion: 1.0-{0}\nDescription: x\n x\n\n"
    status = root / "var/lib/dpkg/status"
    status.parent.mkdir(parents=True)
    status.write_text("".join(stanza.format(number) for number in range(3000)), encoding="utf-8")


def bare(root: Path) -> int:
    """os.scandir, and nothing else."""
    count, pending = 0, [str(root)]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                else:
                    count += 1
    return count


def timed(what: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(3):
        started = time.perf_counter()
        what()
        best = min(best, time.perf_counter() - started)
    return best


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=200_000)
    parser.add_argument("--root", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = given.root or Path(folder)
        if given.root is None:
            plant(root, given.files)
        count = bare(root)
        answer = audit(str(root), processes=False)
        packages = sum(answer["summary"]["packages"].values())
        print(f"{count:,} files, {packages:,} packages, {len(answer['findings'])} findings")
        words = ["find", str(root), "-xdev", "-type", "f", "-size", "+1G"]
        rows = {
            "find -type f -size": timed(lambda: subprocess.run(words, check=False)),
            "os.scandir alone": timed(lambda: bare(root)),
            "host audit": timed(lambda: audit(str(root), processes=False)),
        }
        for name, seconds in rows.items():
            print(f"{name:20} {seconds:8.2f} s  {count / seconds:12,.0f} files/s")
        times = rows["host audit"] / rows["os.scandir alone"]
        print(f"host audit takes {times:.1f} times a bare walk")


if __name__ == "__main__":
    main()
