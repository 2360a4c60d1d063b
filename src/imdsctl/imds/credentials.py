"""Credentials that look like an instance role's, rotate like them, and are plainly fake."""

from __future__ import annotations

import base64
import hmac
import json
import math
from dataclasses import dataclass, field
from typing import Any

from imdsctl.imds.times import rfc3339

FAKE_KEY_PREFIX = "ASIAFAKE"
"""Every access key id begins so: `ASIA` marks temporary credentials, the rest says what it is."""

LIFETIME = 6 * 3600
ROTATION = 3600
"""Seconds credentials live, and seconds after which new ones are there. AWS promises the new ones
at least five minutes before the old expire (EC2 User Guide, "Retrieve security credentials from
instance metadata")."""

OVERLAP = 300


@dataclass(frozen=True)
class FakeCredentials:
    """A series of credentials, one after the other, worked out from the time alone.

    Attributes:
        key: what they are derived from, so that two instances never share any.
        started: when the first were issued, in seconds since 1970.
        lifetime: seconds from LastUpdated to Expiration.
        code: `Success`, or what else the item says in its place.
        given: members that replace the generated ones (a local test stack's own key, say).
    """

    key: bytes = field(repr=False)
    started: float
    lifetime: int = LIFETIME
    code: str = "Success"
    given: tuple[tuple[str, Any], ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        if self.lifetime <= OVERLAP:
            raise ValueError(f"credentials live longer than {OVERLAP} seconds, not {self.lifetime}")

    @property
    def rotation(self) -> int:
        """Seconds between one set and the next."""
        return min(ROTATION, self.lifetime - OVERLAP)

    def issued(self, now: float) -> float:
        """When the set that is served at `now` was issued."""
        return self.started + max(0, math.floor((now - self.started) / self.rotation)) * (
            self.rotation
        )

    def text(self, now: float) -> str:
        """The JSON text at `now`, in AWS's member names and order."""
        issued = self.issued(now)
        members: dict[str, Any] = {
            "Code": self.code,
            "LastUpdated": rfc3339(issued),
            "Type": "AWS-HMAC",
        }
        if self.code == "Success":
            members["AccessKeyId"] = FAKE_KEY_PREFIX + self._letters(b"id", issued, 12)
            members["SecretAccessKey"] = "FAKE" + self._letters(b"secret", issued, 36)
            members["Token"] = "FAKE" + self._letters(b"token", issued, 360)
            members["Expiration"] = rfc3339(issued + self.lifetime)
        members.update(self.given)
        return json.dumps(members, indent=2, separators=(",", " : "))

    def _letters(self, what: bytes, issued: float, length: int) -> str:
        """Capital letters and digits, always the same for the same key and set."""
        text = ""
        while len(text) < length:
            part = b"%s %d %d" % (what, int(issued), len(text))
            text += base64.b32encode(hmac.digest(self.key, part, "sha256")).decode().rstrip("=")
        return text[:length]
