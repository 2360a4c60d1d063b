"""The calls without a token that this tool made itself, as the journal tells them.

A probe asks once without a token, to see whether IMDSv1 is refused; CloudWatch counts that as it
counts anybody's. Before a probe is sent, the journal says to whom; after it, what came back. What
the metrics say is read less exactly these calls. A probe of which nothing came back may have
called or not: it counts as one call within the time that it had.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from imdsctl.model.host import OwnCall, OwnCalls
from imdsctl.model.run import Entry


def own_calls(entries: Iterable[Entry]) -> OwnCalls:
    """The calls, out of the `probing` and `probed` entries of the journal, oldest first."""
    open_probes: dict[str, Entry] = {}
    found: OwnCalls = {}
    for entry in entries:
        note = entry.data.get("note", "")
        if entry.event == "probing":
            open_probes[note] = entry
        elif entry.event == "probed" and note in open_probes:
            sent = open_probes.pop(note)
            for instance, told in entry.data["hosts"].items():
                if call := _told(told):
                    found.setdefault(_key(sent, instance), []).append(call)
    for sent in open_probes.values():
        until = sent.at + timedelta(seconds=sent.data["seconds"])
        for instance in sent.data["hosts"]:
            found.setdefault(_key(sent, instance), []).append(OwnCall(first=sent.at, last=until))
    return found


def _key(sent: Entry, instance: str) -> tuple[str, str, str]:
    return sent.data["account"], sent.data["region"], instance


def _told(told: Mapping[str, Any]) -> OwnCall | None:
    """One host's call; None where it is known that there was none."""
    if not told["called"]:
        return None
    return OwnCall(
        first=datetime.fromisoformat(told["first"]),
        last=datetime.fromisoformat(told["last"]),
        refused=told["refused"],
    )
