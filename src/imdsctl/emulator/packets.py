"""The limit of packets a second that an instance can send to its link-local services.

AWS documents 1,024 packets a second and that what is more is dropped; how a client notices follows
from TCP: a lost segment is sent again after 200 ms, then after twice as long each time.
"""

FIRST_RETRANSMISSION = 0.2
LAST_RETRANSMISSION = 3.2
SEGMENT = 1448
"""Bytes of a full segment on Ethernet with TCP timestamps."""

CONNECTION = 4
"""Packets beside the requests that opening and closing a connection takes from the client."""


class PacketBudget:
    """A bucket that fills at the rate of the limit and holds one second's worth."""

    def __init__(self, per_second: int, now: float) -> None:
        self.per_second = per_second
        self._left = float(per_second)
        self._at = now

    def take(self, packets: int, now: float) -> bool:
        """Let packets through, or drop them all."""
        self._left = min(float(self.per_second), self._left + (now - self._at) * self.per_second)
        self._at = now
        # A request of more packets than a second allows passes when the bucket is full.
        needed = min(packets, self.per_second)
        if self._left < needed:
            return False
        self._left -= needed
        return True


def packets_of(size: int, *, first: bool) -> int:
    """Packets that a client sends for a request of `size` bytes: its own, and the confirmation."""
    return max(1, -(-size // SEGMENT)) + 1 + (CONNECTION if first else 0)


def retransmission(attempt: int) -> float:
    """Seconds until a lost segment is sent for the next time."""
    return min(FIRST_RETRANSMISSION * float(2**attempt), LAST_RETRANSMISSION)
