"""Builds `imdsctl-host.pyz`: what runs on instances, in one file, with nothing but Python.

    python packaging/build_host.py [OUTPUT]

The same sources give the same bytes, so that a checksum means something.
"""

import stat
import sys
import zipfile
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "src" / "imdsctl"
OUTPUT = Path(__file__).resolve().parents[1] / "dist" / "imdsctl-host.pyz"
ROOMS = ("imds", "software", "host")
KINDS = (".py", ".o", ".toml")
_EPOCH = (1980, 1, 1, 0, 0, 0)
_MAIN = """import sys
if sys.version_info < (3, 9):
    this = sys.version.split()[0]
    sys.stderr.write("imdsctl-host.pyz needs Python 3.9 or newer, this is " + this + "\\n")
    sys.exit(5)
from imdsctl.host.__main__ import main
sys.exit(main())
"""


def build(output: Path = OUTPUT) -> Path:
    """Write the file, and return where it is."""
    files = {"__main__.py": _MAIN.encode(), "imdsctl/__init__.py": _read("__init__.py")}
    for room in ROOMS:
        for path in sorted((SOURCE / room).rglob("*")):
            if path.suffix in KINDS and "__pycache__" not in path.parts:
                name = path.relative_to(SOURCE).as_posix()
                files[f"imdsctl/{name}"] = _read(name)
    output.parent.mkdir(parents=True, exist_ok=True)
    with output.open("wb") as file:
        file.write(b"#!/usr/bin/env python3\n")
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in files.items():
                entry = zipfile.ZipInfo(name, _EPOCH)
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, data)
    output.chmod(output.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    return output


def _read(name: str) -> bytes:
    return (SOURCE / name).read_bytes()


if __name__ == "__main__":
    built = build(Path(sys.argv[1]) if len(sys.argv) > 1 else OUTPUT)
    sys.stdout.write(f"{built}  {built.stat().st_size // 1024} KB\n")
