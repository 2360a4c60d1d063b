"""Reading `imdsctl.toml`."""

import re
import tomllib
from pathlib import Path

import msgspec

from imdsctl.model.diagnostics import UsageError
from imdsctl.model.policy import Policy

DEFAULT = Path("imdsctl.toml")


def load_policy(path: Path | None) -> Policy:
    """The operator's settings; the defaults where there is no file.

    Raises:
        UsageError: a named file is missing, is no TOML, or has a key or value that makes no sense;
            the message says where.
    """
    if path is None:
        if not DEFAULT.exists():
            return Policy()
        path = DEFAULT
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UsageError(
            f"{path} could not be read: {why}", hint="--config FILE names the settings file"
        ) from error
    try:
        return msgspec.convert(tomllib.loads(text), Policy)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not valid TOML: {error}") from error
    except msgspec.ValidationError as error:
        message = str(error).replace("Object contains unknown field", "there is no setting")
        where = re.search(r" - at `\$\.?(?P<path>[^`]*)`", message)
        place = f"[{where['path']}] " if where and where["path"] else ""
        raise UsageError(
            f"{path}: {place}{message.split(' - at ')[0]}",
            hint="docs/configuration.md lists every setting",
        ) from error
