"""Crontabs: a user's own, and those of the system, which name a user before the command.

crontab(5): lines of five fields or `@reboot` and a command, or of `NAME=value`; a percent sign ends
the command unless it is escaped.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from imdsctl.lint.facts import Fact, Setting
from imdsctl.lint.readers._metadata_url import mentions
from imdsctl.lint.readers._settings import is_setting
from imdsctl.lint.source import Source

KINDS: Final = ("cron",)
_FIELD: Final = r"[\d*/,\-A-Za-z#~?LW]+"
_JOB: Final = re.compile(rf"\s*(?:@\w+|{_FIELD}(?:[ \t]+{_FIELD}){{4}})[ \t]+(?P<command>\S.*)")
_VARIABLE: Final = re.compile(r"\s*([A-Za-z_]\w*)\s*=\s*[\"']?(.*?)[\"']?\s*")
_USER: Final = re.compile(r"(?P<user>[a-z_][a-z0-9_.-]*\$?)[ \t]+(?=[^\s=])")
_HEADER: Final = re.compile(r"^#.*\buser\b.*\bcommand\b", re.MULTILINE)
# Names that stand first in a user's crontab and are commands, not users.
_COMMANDS: Final = {
    "curl", "wget", "bash", "sh", "test", "sudo", "cd", "python", "python3", "env", "aws", "flock",
    "timeout", "nice", "echo", "printf", "if", "for", "export", "set", "source", "exec", "command",
    "php", "perl", "ruby", "node", "docker", "logger", "ionice", "chronic", "find", "run-parts",
}  # fmt: skip


def read(source: Source) -> Iterator[Fact | Source]:
    """Each command as shell, with the variables above it."""
    context = dict(source.context)
    system = "cron.d" in source.path or _HEADER.search(source.text)
    at = 0
    for number, line in enumerate(source.text.splitlines(keepends=True), 1):
        bare = line.rstrip("\r\n")
        if bare.lstrip().startswith("#"):
            pass
        elif found := _JOB.fullmatch(bare):
            start = found.start("command")
            user = _USER.match(bare, start)
            if user and (system or user["user"] not in _COMMANDS):
                start = user.end()
            job = source.embedded("shell", _command(bare[start:]), number, "cron job", start)
            yield replace(job, context=dict(context))
        elif assigned := _VARIABLE.fullmatch(bare):
            context[assigned[1]] = "=" + assigned[2]
            if is_setting(assigned[1]) or (
                mentions(assigned[2]) and assigned[1].lower() != "no_proxy"
            ):
                place = source.place(at, at + len(bare))
                yield Setting(place=place, name=assigned[1], value=assigned[2])
        at += len(line)


def _command(text: str) -> str:
    command = re.split(r"(?<!\\)%", text, maxsplit=1)[0]
    return command.replace("\\%", "%")
