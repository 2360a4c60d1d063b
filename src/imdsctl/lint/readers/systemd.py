"""systemd units: the commands that they run and the environment that they give to them.

systemd.service(5), "Command lines", and systemd.exec(5), Environment=. Units are lines of
`Name=value` under section headers; there is no grammar beyond that.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from imdsctl.lint.facts import Fact, Setting, Unparsed
from imdsctl.lint.readers._metadata_url import mentions
from imdsctl.lint.readers._settings import is_setting
from imdsctl.lint.source import Source

KINDS: Final = ("systemd",)
_COMMAND: Final = re.compile(r"Exec(?:Start|Stop|Reload|Condition)(?:Pre|Post)?")
_PREFIX: Final = re.compile(r"[-@:+!|]*")
_PAIR: Final = re.compile(
    r"\"([A-Za-z_]\w*)=([^\"]*)\"|'([A-Za-z_]\w*)=([^']*)'|([A-Za-z_]\w*)=(\S*)"
)


def read(source: Source) -> Iterator[Fact | Source]:
    """Commands of a unit as shell, with its environment; its settings."""
    environment: dict[str, str] = {}
    commands: list[Source] = []
    for start, name, value in _lines(source.text):
        if name == "Environment":
            for found in _PAIR.finditer(value):
                key, text = (one for one in found.groups() if one is not None)
                environment[key] = "=" + text
                if is_setting(key) or (mentions(text) and key.lower() != "no_proxy"):
                    at = start + found.start()
                    place = source.place(at, start + found.end())
                    yield Setting(place=place, name=key, value=text)
        elif name == "EnvironmentFile":
            if re.search(r"imds|metadata", value, re.IGNORECASE):
                place = source.place(start, start + len(value))
                yield Unparsed(place=place, why=f"the environment in {value} is not read")
        elif _COMMAND.fullmatch(name):
            commands.append(_command(source, start, name, value))
    for command in commands:
        yield replace(command, context={**source.context, **environment})


def _command(source: Source, start: int, name: str, value: str) -> Source:
    """A command line as shell: the same quotes, `$$` for a dollar, `%%` for a percent sign."""
    prefix = _PREFIX.match(value)
    skipped = prefix.end() if prefix else 0
    text = value[skipped:].replace("$$", "$").replace("%%", "%")
    line = source.row(start)
    column = start + skipped - (source.text.rfind("\n", 0, start) + 1)
    # A leading dash says that a failure does not count, as `|| true` does.
    ignored = " || true" if "-" in value[:skipped] else ""
    indent = 0 if "\n" in text else column
    return source.embedded("shell", text + ignored, line, name, indent)


def _lines(text: str) -> Iterator[tuple[int, str, str]]:
    """Where a value begins, its name, and the value with its continuation lines."""
    at = 0
    pending: tuple[int, str, str] | None = None
    for line in text.splitlines(keepends=True):
        bare = line.rstrip("\r\n")
        if pending is not None:
            comment = bare.lstrip().startswith(("#", ";"))
            start, name, value = pending
            # Comments within a continued line are dropped, and the line goes on behind them.
            value += "\n" + ("\\" if comment else bare)
            pending = (start, name, value)
            if comment or bare.endswith("\\"):
                at += len(line)
                continue
            yield pending
            pending = None
        elif "=" in bare and not bare.lstrip().startswith(("#", ";", "[")):
            name, _, value = bare.partition("=")
            begin = at + len(name) + 1 + len(value) - len(value.lstrip())
            if bare.endswith("\\"):
                pending = (begin, name.strip(), value.lstrip())
            else:
                yield begin, name.strip(), value.strip()
        at += len(line)
    if pending is not None:
        yield pending
