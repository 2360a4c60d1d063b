"""Who calls, from a line of a host trace: the program's name, and what counts as one caller.

`/usr/bin/python3` is no program that anyone can fix, and `curl` is nobody's: an interpreter is
named with its script, a helper with who ran it.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

_INTERPRETER = re.compile(
    r"(?:python|pypy|node|nodejs|ruby|perl|php|java|bash|dash|sh|ksh|zsh|pwsh|lua)[0-9.]*"
)
_SHELLS = ("sh", "bash", "dash", "ash", "ksh", "zsh", "busybox")
HELPERS = ("curl", "wget", "wget2", "http", "ec2-metadata", "nc", "ncat", "busybox", "fetch")
"""Programs that ask for somebody else: a script's token is one process, its use another."""

# Options whose value is the next word, by interpreter; else the value would pass for the script.
_VALUED = {
    "python": ("-W", "-X", "--check-hash-based-pycs"),
    "java": ("-cp", "-classpath", "--class-path", "-p", "--module-path", "--add-modules"),
    "node": ("-r", "--require", "--import", "--loader"),
    "ruby": ("-I", "-r", "-C", "-E"),
    "perl": ("-I",),
    "php": ("-c", "-d", "-z"),
}
_NAMES_THE_PROGRAM = {"python": ("-m",), "java": ("-jar", "-m", "--module"), "php": ("-f",)}
_CODE = ("-c", "-e", "-p", "--eval", "--print", "-r")


def program_of(line: Mapping[str, Any]) -> str:
    """The program's name for people."""
    exe, comm = str(line.get("exe") or ""), str(line.get("comm") or "unknown")
    name = posixpath.basename(exe.replace(" (deleted)", "")) or comm
    if name in HELPERS:
        by = _runner(line.get("ancestors") or ())
        return f"{name} (run by {by})" if by else name
    cmdline = line.get("cmdline")
    if isinstance(cmdline, (list, tuple)):
        cmdline = shlex.join(map(str, cmdline))
    return _with_script(name, exe, str(cmdline or ""))


@lru_cache(maxsize=1024)
def _with_script(name: str, exe: str, cmdline: str) -> str:
    if _INTERPRETER.fullmatch(name):
        script = _script(name, words_of(cmdline))
        return f"{name} {script}" if script else name
    return exe or name


def caller_of(line: Mapping[str, Any]) -> str:
    """What counts as one caller: a process, or everything that one script asks through helpers."""
    ancestors = [one for one in line.get("ancestors") or () if isinstance(one, Mapping)]
    name = posixpath.basename(str(line.get("exe") or line.get("comm") or ""))
    if name not in HELPERS or not ancestors:
        return f"{line.get('pid')}/{line.get('process_started') or ''}"
    # The fork that a shell makes for $(…) or a pipe is still the same script.
    first = ancestors[0]
    for one in ancestors[1:]:
        if one.get("comm") != first.get("comm") or one.get("exe") != first.get("exe"):
            break
        first = one
    return f"children of {first.get('pid')}"


def words_of(cmdline: str) -> list[str]:
    """A command line, which lines have as text, as its words."""
    try:
        return shlex.split(cmdline)
    except ValueError:
        return cmdline.split()


def _runner(ancestors: Sequence[Any]) -> str:
    """The nearest ancestor that is not a shell; the nearest of all if there is none such."""
    names = [str(one.get("comm") or "") for one in ancestors if isinstance(one, Mapping)]
    return next((one for one in names if one and one not in _SHELLS), names[0] if names else "")


def _script(interpreter: str, words: Sequence[str]) -> str:
    family = re.sub(r"[0-9.]+$", "", interpreter)
    family = {"nodejs": "node", "pypy": "python"}.get(family, family)
    naming = _NAMES_THE_PROGRAM.get(family, ())
    valued = _VALUED.get(family, ())
    rest = iter(words[1:])
    for word in rest:
        if word in naming:
            return f"{word} {next(rest, '')}".rstrip()
        if word in valued:
            next(rest, None)
            continue
        if word in _CODE or (word.startswith("-") and word[1:2] != "-" and word.endswith("c")):
            return word
        if not word.startswith("-"):
            return word
    return ""
