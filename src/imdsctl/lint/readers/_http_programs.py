"""The command lines of curl, wget and HTTPie: what they ask, with which headers, how they fail.

Options as in the manuals of curl 8, GNU Wget 1.24 and HTTPie 3.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from imdsctl.lint import tokens
from imdsctl.lint.facts import Known
from imdsctl.lint.readers._metadata_url import is_address, of_another_cloud
from imdsctl.lint.readers._shell_words import Hole, Word

TOKEN: Final = tokens.TOKEN.lower()
LIFETIME: Final = tokens.LIFETIME.lower()

_CURL_SHORT: Final = set("AbcCdDeEFHhKmoPQrtTuUwxXyYz")
_CURL_LONG: Final = """
abstract-unix-socket alt-svc aws-sigv4 cacert capath cert cert-type ciphers config
connect-timeout connect-to continue-at cookie cookie-jar create-file-mode data data-ascii
data-binary data-raw data-urlencode dns-interface dns-ipv4-addr dns-servers dump-header engine
etag-compare etag-save expect100-timeout form form-string header hostpubmd5 interface json
keepalive-time key key-type limit-rate local-port max-filesize max-redirs max-time netrc-file
noproxy output output-dir parallel-max pass preproxy proto proto-default proxy proxy-header
proxy-user quote range rate referer request request-target resolve retry retry-delay
retry-max-time socks4 socks4a socks5 socks5-hostname speed-limit speed-time stderr telnet-option
time-cond tls-max trace trace-ascii unix-socket upload-file url url-query user user-agent
variable write-out
"""
_CURL_NAMES: Final = {
    "H": "header", "X": "request", "o": "output", "x": "proxy", "K": "config", "f": "fail",
    "d": "data", "F": "form", "T": "upload-file", "I": "head", "G": "get", "w": "write-out",
}  # fmt: skip
_WGET_SHORT: Final = set("aeiBtOTwQoPUDARIXl")
_WGET_LONG: Final = """
header method body-data body-file post-data post-file output-document output-file append-output
input-file base tries timeout dns-timeout connect-timeout read-timeout wait waitretry user-agent
directory-prefix execute quota limit-rate bind-address user password referer proxy-user
proxy-password config
"""
_WGET_NAMES: Final = {"O": "output-document", "e": "execute", "i": "input-file"}
_STATUS: Final = re.compile(r"%\{(?:http_code|response_code)\}")


@dataclass(slots=True)
class Call:
    """One call of an HTTP program.

    Attributes:
        method: upper case, empty where not known.
        urls: those on the command line.
        headers: all of them, as far as they are known.
        opaque: whether arguments that are not known could say more.
        fails: whether an HTTP error makes it fail.
        proxy: that it names, None if it names none; empty for none at all.
        no_proxy: hosts for which it uses none.
        output: the file that takes the answer, empty for stdout.
        elsewhere: whether it goes to a socket of its own.
    """

    method: str = "GET"
    urls: list[Word] = field(default_factory=list)
    headers: list[Word] = field(default_factory=list)
    opaque: bool = False
    fails: Known = "no"
    proxy: str | None = None
    no_proxy: str = ""
    output: str = ""
    elsewhere: bool = False

    def header(self, name: str) -> Word | None:
        """The header of a name (lower case), None if it is not sent."""
        for one in self.headers:
            if one.text.partition(":")[0].strip().lower() == name and ":" in one.text:
                return one
        return None

    def sends(self, name: str) -> Known:
        """Whether a header (lower case) is sent with a value."""
        found = self.header(name)
        if found is not None:
            # An empty value makes curl leave the header out; a variable may be filled elsewhere.
            return "yes" if found.text.partition(":")[2].strip() else "unknown"
        if self.opaque or any(one.bare or one.text.startswith("@") for one in self.headers):
            return "unknown"
        return "no"

    @property
    def of_another_cloud(self) -> bool:
        """Whether its headers are those of another cloud's service."""
        return of_another_cloud([one.text for one in self.headers])

    def bypasses(self, host: str) -> bool:
        """Whether it says itself that a host is asked without a proxy."""
        hosts = re.split(r"[,\s]+", self.no_proxy)
        return self.proxy == "" or "*" in hosts or host in hosts


def curl(arguments: Sequence[Word]) -> Call:  # noqa: C901, PLR0912 - a table of options
    """The call that a curl command makes."""
    call = Call()
    method = ""
    implied = ""
    for name, value in _options(arguments, _CURL_SHORT, set(_CURL_LONG.split()), _CURL_NAMES):
        text = value.text if value else ""
        match name:
            case "" | "url" if value:
                call.urls.append(value)
            case "header" if value:
                call.headers.append(value)
            case "request" if value:
                method = "" if value.bare else text.upper()
                call.opaque |= value.bare
            case "head":
                implied = "HEAD"
            case "upload-file":
                implied = "PUT"
            case "data" | "data-ascii" | "data-binary" | "data-raw" | "form" | "json":
                implied = implied or "POST"
            case "get":
                implied = "GET"
            case "fail" | "fail-with-body":
                call.fails = "yes"
            case "write-out" if _STATUS.search(text) and call.fails == "no":
                call.fails = "unknown"
            case "proxy" | "preproxy" | "socks4" | "socks4a" | "socks5" | "socks5-hostname":
                call.proxy = text
            case "noproxy":
                call.no_proxy = text
            case "output" if text not in {"-", "/dev/stdout"}:
                call.output = text
            case "config":
                call.opaque = True
                call.fails = "unknown" if call.fails == "no" else call.fails
            case "unix-socket" | "abstract-unix-socket":
                call.elsewhere = True
            case "?":
                call.opaque = True
    call.method = method or implied or ("" if call.opaque else "GET")
    if call.opaque and call.fails == "no":
        call.fails = "unknown"
    return call


def wget(arguments: Sequence[Word]) -> Call:  # noqa: C901, PLR0912 - a table of options
    """The call that a wget command makes; it fails on HTTP errors by itself."""
    call = Call(fails="yes", output="wget")
    for name, value in _options(arguments, _WGET_SHORT, set(_WGET_LONG.split()), _WGET_NAMES):
        text = value.text if value else ""
        match name:
            case "" if value:
                call.urls.append(value)
            case "header" if value:
                call.headers.append(value)
            case "method":
                call.method = text.upper().replace("*", "")
            case "post-data" | "post-file":
                call.method = "POST"
            case "spider":
                call.method = "HEAD"
            case "no-proxy":
                call.proxy = ""
            case "execute":
                key, _, setting = text.partition("=")
                if key.strip() == "use_proxy" and setting.strip() in {"no", "off", "0"}:
                    call.proxy = ""
                elif key.strip() == "http_proxy":
                    call.proxy = setting.strip()
            case "output-document":
                call.output = "" if text in {"-", "/dev/stdout"} else text
            case "content-on-error":
                call.fails = "no"
            case "?" | "config":
                call.opaque = True
    return call


def httpie(arguments: Sequence[Word]) -> Call:
    """The call that `http` (HTTPie, xh) makes."""
    call = Call()
    method = ""
    for name, value in _options(arguments, set("asopAv"), {"proxy", "auth", "output"}, {}):
        text = value.text if value else ""
        if name == "check-status":
            call.fails = "yes"
        elif name == "proxy":
            call.proxy = text.partition(":")[2]
        elif name == "" and value:
            if not call.urls and re.fullmatch(r"[A-Z]+", text):
                method = text
            elif not call.urls:
                call.urls.append(value)
            else:
                call.headers.append(value)
        elif name == "?":
            call.opaque = True
    data = any("=" in one.text and ":" not in one.text for one in call.headers)
    call.method = method or ("POST" if data else "GET")
    return call


def lwp(arguments: Sequence[Word]) -> Call:
    """The call of lwp-request, which libwww-perl also installs as GET and HEAD."""
    call = Call()
    for name, value in _options(arguments, set("mHtibpcCo"), set(), {}):
        if name == "" and value:
            call.urls.append(value)
        elif name == "H" and value:
            call.headers.append(value)
        elif name == "m" and value:
            call.method = value.text.upper()
        elif name == "?":
            call.opaque = True
    return call


def is_host(word: Word) -> bool:
    """Whether an argument is the service's bare address."""
    return is_address(word.text.strip("[]"))


def _options(
    arguments: Sequence[Word], short: set[str], long: set[str], names: dict[str, str]
) -> list[tuple[str, Word | None]]:
    """Options by their long names with their values; "" names a positional, "?" what is unknown."""
    found: list[tuple[str, Word | None]] = []
    index = 0
    while index < len(arguments):
        word = arguments[index]
        text = word.text
        index += 1
        following = arguments[index] if index < len(arguments) else None
        if word.bare:
            # One that is not quoted may hold the URL, or any number of options.
            found.extend([("", word)] if word.own else [("?", word), ("", word)])
        elif text.startswith("--") and text != "--":
            name, equals, _ = text[2:].partition("=")
            if equals:
                found.append((name, Word(_after(word, "="), word.node, word.own)))
            elif name in long:
                found.append((name, following))
                index += 1
            else:
                found.append((name, None))
        elif text.startswith("-") and text not in {"-", "--"}:
            taken = _cluster(word, following, short, names, found)
            index += taken
        elif text != "--":
            found.append(("", word))
    return found


def _cluster(
    word: Word,
    following: Word | None,
    short: set[str],
    names: dict[str, str],
    found: list[tuple[str, Word | None]],
) -> int:
    """Take `-sfXPUT` apart; tells how many of the next words it uses up."""
    first = word.parts[0]
    letters = first if isinstance(first, str) else ""
    for at, letter in enumerate(letters[1:], 1):
        name = names.get(letter, letter)
        if letter not in short:
            found.append((name, None))
            continue
        rest = (letters[at + 1 :], *word.parts[1:]) if letters[at + 1 :] else word.parts[1:]
        if rest:
            found.append((name, Word(rest, word.node)))
            return 0
        found.append((name, following))
        return 1
    return 0


def _after(word: Word, mark: str) -> tuple[str | Hole, ...]:
    for at, part in enumerate(word.parts):
        if isinstance(part, str) and mark in part:
            return (part.partition(mark)[2], *word.parts[at + 1 :])
    return ()
