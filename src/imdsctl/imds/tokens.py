"""Session tokens: issued, checked and expired without keeping any of them.

A token carries its expiry and a random part under a seal (HMAC-SHA256) whose key is made of the
service's secret and the instance's id. So an instance takes only its own tokens, hundreds of
thousands can be valid at once at no memory at all, and nothing is shared between connections that
could be mixed up. To a client a token is opaque, as AWS says; it has the length and the alphabet of
real ones (56 characters, URL-safe base64, ending in `==`).
"""

from __future__ import annotations

import base64
import binascii
import hmac
import math
import re
from dataclasses import dataclass

MIN_TTL = 1
MAX_TTL = 21600
"""Seconds a token may live: one second to six hours (EC2 User Guide, "Use the Instance Metadata
Service to access instance metadata")."""

TOKEN_LENGTH = 56
ENTROPY_BYTES = 8
"""Random bytes that one token takes; more are ignored."""

_PREFIX = b"\x01\x00\x04"  # real tokens begin with AQAE
_EXPIRY_BYTES = 6  # milliseconds since 1970
_SEAL_BYTES = 23
_BODY_BYTES = len(_PREFIX) + _EXPIRY_BYTES + ENTROPY_BYTES
_DIGITS = re.compile(r"[0-9]{1,10}")


def parse_ttl(value: str | None) -> int | None:
    """The lifetime that a token request asks for in seconds, None where it is missing or wrong.

    EC2 User Guide, "Access instance metadata": such a request is answered with 400.
    """
    if value is None or not _DIGITS.fullmatch(value.strip(" \t")):
        return None
    ttl = int(value)
    return ttl if MIN_TTL <= ttl <= MAX_TTL else None


@dataclass(frozen=True)
class TokenState:
    """What a presented token is worth: `valid`, `expired` or `foreign`, and its seconds left.

    `foreign` is everything this instance has not issued: another instance's token, garbage, an
    empty header. `remaining` is at least 1 for a valid token and 0 otherwise.
    """

    state: str
    remaining: int = 0

    @property
    def valid(self) -> bool:
        """Whether a request with this token is answered."""
        return self.state == "valid"


FOREIGN = TokenState("foreign")
EXPIRED = TokenState("expired")


class Tokens:
    """Issues and checks one instance's session tokens; safe to use from many threads.

    Args:
        secret: what the seals are made with; whoever has it can forge tokens.
        instance_id: a token is refused by an instance with another id or another secret.
    """

    def __init__(self, secret: bytes, instance_id: str) -> None:
        self._key = hmac.new(secret, b"session token of " + instance_id.encode(), "sha256").digest()

    def issue(self, ttl: int, now: float, entropy: bytes) -> str:
        """A token that is valid for `ttl` seconds from `now` (seconds since 1970).

        Args:
            ttl: MIN_TTL to MAX_TTL seconds.
            now: the time of the request.
            entropy: at least ENTROPY_BYTES random bytes, fresh for every token.

        Raises:
            ValueError: `ttl` is out of range, or there is too little entropy.
        """
        if not MIN_TTL <= ttl <= MAX_TTL:
            raise ValueError(f"a token lives {MIN_TTL} to {MAX_TTL} seconds, not {ttl}")
        if len(entropy) < ENTROPY_BYTES:
            raise ValueError(f"a token takes {ENTROPY_BYTES} random bytes, got {len(entropy)}")
        expiry = max(0, round((now + ttl) * 1000)).to_bytes(_EXPIRY_BYTES, "big")
        body = _PREFIX + expiry + entropy[:ENTROPY_BYTES]
        return base64.urlsafe_b64encode(body + self._seal(body)).decode("ascii")

    def check(self, token: str, now: float) -> TokenState:
        """What `token` is worth at `now`; never raises, whatever stands in the header."""
        if len(token) != TOKEN_LENGTH or not token.isascii():
            return FOREIGN
        text = token.encode("ascii")
        try:
            raw = base64.urlsafe_b64decode(text)
        except binascii.Error:
            return FOREIGN
        # The decoder skips strange characters and loose bits; only the one true spelling counts.
        if base64.urlsafe_b64encode(raw) != text:
            return FOREIGN
        body, seal = raw[:_BODY_BYTES], raw[_BODY_BYTES:]
        if not hmac.compare_digest(seal, self._seal(body)):
            return FOREIGN
        start = len(_PREFIX)
        expiry = int.from_bytes(body[start : start + _EXPIRY_BYTES], "big") / 1000
        if expiry <= now:
            return EXPIRED
        # Rounded up, so that a fresh token shows the whole lifetime it was asked for. The cap
        # holds where the clock was set back.
        return TokenState("valid", min(MAX_TTL, math.ceil(expiry - now)))

    def _seal(self, body: bytes) -> bytes:
        return hmac.digest(self._key, body, "sha256")[:_SEAL_BYTES]
