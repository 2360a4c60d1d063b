"""Shell scripts: sh, bash, dash, ksh and (as far as bash's grammar goes) zsh."""

import bisect
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from imdsctl.lint.facts import Fact, Known, Request, Setting
from imdsctl.lint.readers._metadata_url import mentions
from imdsctl.lint.readers._shell_edits import edits
from imdsctl.lint.readers._shell_script import Script
from imdsctl.lint.readers._shell_state import Seen
from imdsctl.lint.readers._shell_walk import Walker
from imdsctl.lint.source import Source

KINDS: Final = ("shell",)
_WORTH_READING: Final = (
    "169.254.169.254", "fd00:", "meta-data", "metadata", "api/token",
    "instance-identity", "instance-data",
    "2852039166", "0xa9fea9fe", "dd_ec2", "python", "ruby", "node", "pwsh",
    "<powershell", "aws ec2", "base64",
)  # fmt: skip
_NOT_HANDED_ON: Final = ("no_proxy", "noproxy")


def read(source: Source) -> Iterator[Fact | Source]:
    """The requests and settings of a script, and the scripts within it."""
    lowered = source.text.lower()
    if not source.context and not any(one in lowered for one in _WORTH_READING):
        return
    script = Script(source)
    walker = Walker(script)
    walker.run()
    walker.tests.sort()
    seen = list(walker.seen.values())
    starts = sorted(one.node.start_byte for one in seen)
    for one, fix in zip(seen, edits(script, seen), strict=True):
        yield replace(_request(script, one), checked=_looked_at(walker, one, starts), edits=fix)
    yield from walker.settings.values()
    yield from _kept_addresses(walker)
    yield from walker.embedded.values()
    if seen or walker.embedded or mentions(source.text):
        yield from walker.unparsed


def known_names(source: Source) -> dict[str, str]:
    """What another script knows once it has sourced this one, as `Source.context` holds it.

    `token` for a variable that holds one and a function that prints one, `=text` for a variable
    whose value is written down.
    """
    walker = Walker(Script(source))
    walker.run()
    found: dict[str, str] = {}
    for name, words in walker.state.values.items():
        if not name.isidentifier() or len(words) != 1:
            continue
        if words[0].token:
            found[name] = "token"
        elif words[0].known:
            found[name] = "=" + words[0].text
    for name in walker.state.functions:
        if walker.prints_token(name):
            found[name] = "token"
    return found


def _request(script: Script, one: Seen) -> Request:
    return Request(
        place=script.place(one.node),
        client=one.client,
        method=one.method,
        host=one.host,
        path=one.path,
        token=one.token,
        token_from=one.token_from,
        lifetime=one.lifetime,
        fails=one.fails,
        bypasses_proxy=one.bypasses_proxy,
        proxy=one.proxy,
        stored_in=one.stored_in,
        follows=one.follows,
        fallback=one.fallback,
    )


def _looked_at(walker: Walker, one: Seen, starts: list[int]) -> Known:
    """Whether somebody looks at a failure, or at the value later; an unused value harms nobody."""
    if one.checked != "no":
        return one.checked
    end = one.node.end_byte
    name = one.stored_in
    if name and walker.expander.tested.get(name, -1) > end:
        return "yes"
    after = bisect.bisect_right(starts, end)
    following = starts[after] if after < len(starts) else len(walker.script.data)
    test = bisect.bisect_right(walker.tests, end)
    if test < len(walker.tests) and walker.tests[test] < following:
        return "yes"
    used = walker.expander.used.get(name, -1) > end or name in walker.state.exported
    return "no" if name and used else "unknown"


def _kept_addresses(walker: Walker) -> Iterator[Setting]:
    """Addresses in variables that no request of the script uses."""
    used = {name for name, at in walker.expander.used.items() if at >= 0}
    for name, (word, node) in walker.assigned.items():
        if name.lower() in _NOT_HANDED_ON or (name in used and name not in walker.state.exported):
            continue
        if (name in used and walker.seen) or not word.known or not mentions(word.text):
            continue
        yield Setting(place=walker.script.place(node), name=name, value=word.text)
