"""Files that an emulator starts from: our own in TOML or JSON, and amazon-ec2-metadata-mock's."""

import difflib
import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from imdsctl.emulator import mock_config
from imdsctl.imds.items import items
from imdsctl.imds.options import Options

TABLES = ("options", "values", "server")
SERVER: dict[str, tuple[type, ...]] = {
    "faults": (list,),
    "host": (str,),
    "keep_alive": (bool,),
    "latency_ms": (int, float),
    "packets_per_second": (int,),
    "port": (int,),
    "redirect_directories": (bool,),
}
"""The settings of the emulator itself, with the types that each can have."""


class FileError(Exception):
    """A file cannot be used; the message says which, where in it, and what was expected."""


@dataclass
class Loaded:
    """What a file says.

    Attributes:
        options: metadata options that it names.
        values: of the instance.
        server: settings of the emulator itself, of SERVER.
        notes: what a person should know about settings that have no effect here.
    """

    options: dict[str, Any] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    server: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def load(path: Path) -> Loaded:
    """Read and check a file.

    Raises:
        FileError: it cannot be read, is neither TOML nor JSON, or says what makes no sense.
    """
    document = _parse(path)
    if mock_config.is_one(document):
        try:
            options, values, server, notes = mock_config.translate(document)
        except ValueError as error:
            raise FileError(f"{path}: {error}") from error
        loaded = Loaded(options, values, server, notes)
    else:
        _known(path, "", document, TABLES)
        for table in TABLES:
            if not isinstance(document.get(table, {}), dict):
                raise FileError(f"{path}: {table} is a table")
        options, values, server = (dict(document.get(table, {})) for table in TABLES)
        loaded = Loaded(options, values, server)
    _check(path, loaded)
    return loaded


def _parse(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise FileError(f"{path} could not be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise FileError(f"{path} could not be read: it is not UTF-8 text") from error
    as_json = path.suffix == ".json" or text.lstrip().startswith("{")
    try:
        document = json.loads(text) if as_json else tomllib.loads(text)
    except ValueError as error:
        raise FileError(f"{path} is no valid {'JSON' if as_json else 'TOML'}: {error}") from error
    if not isinstance(document, dict):
        raise FileError(f"{path}: the file holds no object")
    return document


def _check(path: Path, loaded: Loaded) -> None:
    _known(path, "[server] ", loaded.server, SERVER)
    for key, value in loaded.server.items():
        # True and False are numbers to Python, but not to a person.
        fits = isinstance(value, SERVER[key]) and isinstance(value, bool) == (bool in SERVER[key])
        if not fits or (key == "faults" and not all(isinstance(one, str) for one in value)):
            wanted = " or ".join(one.__name__ for one in SERVER[key])
            raise FileError(f"{path}: [server] {key} is {value!r}, which is no {wanted}")
    try:
        options = Options.from_mapping(loaded.options)
    except ValueError as error:
        raise FileError(f"{path}: [options] {error}") from error
    try:
        items(
            {"instance_id": "i-1234567890abcdef0", **loaded.values},
            tags=options.tags_enabled,
            started=0.0,
            key=b"",
        )
    except (ValueError, TypeError, AttributeError) as error:
        raise FileError(f"{path}: [values] {error}") from error


def _known(path: Path, where: str, given: Mapping[str, Any], known: Iterable[str]) -> None:
    names = sorted(known)
    for key in given:
        if key not in names:
            near = difflib.get_close_matches(str(key), names, 1)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(names)}"
            raise FileError(f"{path}: {where}there is no key {key!r}; {hint}")
