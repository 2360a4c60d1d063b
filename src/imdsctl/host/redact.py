"""Taking what could be a secret out of a command line before anyone keeps it."""

from __future__ import annotations

import re

HIDDEN = "***"

_HEADER = re.compile(
    r"(?i)\b(x-aws-ec2-metadata-token|authorization|proxy-authorization|cookie|x-api-key"
    r"|x-amz-security-token)(\\?[\"']?\s*[:=]\s*).*"
)
_WORDS = (
    r"(?:secret|token|passw(?:or)?d|passphrase|credential|signature|pwd|api[-_]?key|access[-_]?key"
    r"|private[-_]?key)"
)
_VALUE = r"(?:\"(?:[^\"\\]|\\.)*\"?|'[^']*'?|[^\s&,;\"']+)"
_SETTING = r"(?![\w.-]*http[-_]?tokens(?:$|\\?[\"']?\s*[=:]?\s*\\?[\"']?(?:required|optional)\b))"
"""HttpTokens, http_tokens, --http-tokens say whether sessions are required; they are no token."""
_NAMED = re.compile(
    r"(?i)(?<![\w.-])(?!x-aws-ec2-metadata-token-ttl)"
    + _SETTING
    + r"([\w.-]*?"
    + _WORDS
    + r"[\w.-]*)"
    r"(\\?[\"']?\s*[=:]\s*\\?)(?!//)" + _VALUE
)
_OPTION = re.compile(r"(?i)" + _SETTING + r"--?[\w.-]*" + _WORDS + r"[\w.-]*")
_OPTION_INSIDE = re.compile(
    r"(?i)(?<!\S)"
    + _SETTING
    + r"(--?[\w.-]*"
    + _WORDS
    + r"[\w.-]*|--user|--proxy-user|-u)(\s+)(?!-)"
    + _VALUE
)
_BEARER = re.compile(r"(?i)\b(bearer|basic)(\s+)[^\s\"']+")
_USER_OPTIONS = ("-u", "--user", "--proxy-user", "-U")
_IN_URL = re.compile(r"(?i)(\b[a-z][a-z0-9+.-]*://)[^\s/@]+@")
_KEY_ID = re.compile(r"\b(AKIA|ASIA|AROA|AIDA)[A-Z0-9]{12,}")
_LONG = re.compile(r"(?<![\w/.-])[A-Za-z0-9+/_=-]{40,}(?![\w/.-])")
_METADATA_TOKEN = re.compile(r"AQAE?A[A-Za-z0-9_-]{20,}={0,2}")
_PASSWORD_OPTIONS = {
    "sshpass": ("-p",),
    "mysql": ("-p",),
    "mysqldump": ("-p",),
    "mariadb": ("-p",),
    "redis-cli": ("-a",),
    "ldapsearch": ("-w",),
    "smbclient": ("-U",),
}
"""Short options whose value is a password, by program; it may follow without a space."""

_KEY_PART = 16
_MOST_ARGUMENTS = 64
_LONGEST_ARGUMENT = 1024


def redact(arguments: list[str]) -> list[str]:
    """The arguments of a process without tokens, keys and passwords, as far as they show.

    Options and headers whose names say so lose their values; so do user names in URLs, key ids,
    and long runs of letters that look like keys. It errs towards hiding: what is only long and
    random is hidden, too.
    """
    clean: list[str] = []
    hide_next = False
    program = arguments[0].rpartition("/")[2] if arguments else ""
    passwords = _PASSWORD_OPTIONS.get(program, ())
    for argument in arguments[:_MOST_ARGUMENTS]:
        if hide_next and not argument.startswith("--"):
            clean.append(HIDDEN)
            hide_next = False
            continue
        hide_next = (
            bool(_OPTION.fullmatch(argument)) or argument in _USER_OPTIONS or argument in passwords
        )
        attached = next((one for one in passwords if argument.startswith(one)), None)
        if attached and argument != attached:
            clean.append(attached + HIDDEN)
            continue
        clean.append(redact_text(argument[:_LONGEST_ARGUMENT]))
    if len(arguments) > _MOST_ARGUMENTS:
        clean.append("…")
    return clean


def redact_text(text: str) -> str:
    """A text that is no list of arguments, likewise."""
    text = _HEADER.sub(rf"\1\2{HIDDEN}", text)
    text = _NAMED.sub(rf"\1\2{HIDDEN}", text)
    text = _OPTION_INSIDE.sub(rf"\1\2{HIDDEN}", text)
    text = _BEARER.sub(rf"\1\2{HIDDEN}", text)
    text = _IN_URL.sub(rf"\1{HIDDEN}@", text)
    text = _METADATA_TOKEN.sub(HIDDEN, text)
    text = _KEY_ID.sub(rf"\1{HIDDEN}", text)
    return _LONG.sub(_random_only, text)


def _random_only(found: re.Match[str]) -> str:
    """Hides what mixes letters and digits, as keys do; a long word or path stays."""
    word = found[0]
    if word.startswith("/") and not any(map(_jumbled, word.split("/"))):
        return word
    mixed = any(c.isdigit() for c in word) and any(c.isalpha() for c in word)
    return HIDDEN if mixed else word


def _jumbled(part: str) -> bool:
    """Whether a part of what may be a path is as mixed as a key, and long enough for one."""
    kinds = (str.isupper, str.islower, str.isdigit)
    return len(part) >= _KEY_PART and all(any(map(kind, part)) for kind in kinds)
