"""A packet comes in; what it says of a connection to the metadata service goes out.

And the filter by which the kernel lets through such packets only.
"""

from __future__ import annotations

import socket
import struct
from typing import NamedTuple

_TCP = 6
_HEADER = 20
STATUS_LINE = 12
_SNAP = 8192

IMDS_V4 = socket.inet_pton(socket.AF_INET, "169.254.169.254")
IMDS_V6 = socket.inet_pton(socket.AF_INET6, "fd00:ec2::254")
IMDS_PORT = 80

# Classic BPF: (code, if true, if false, value); linux/filter.h. Jumps count from the next line.
_LD_W, _LD_H, _LD_B, _LDX_IHL = 0x20, 0x28, 0x30, 0xB1
_LDI_H, _LDI_B = 0x48, 0x50
_JEQ, _AND, _RSH, _ADD, _ADD_X, _RET, _RET_A = 0x15, 0x54, 0x74, 0x04, 0x0C, 0x06, 0x16
NOTHING = [(_RET, 0, 0, 0)]
"""The filter that lets nothing through."""


class Segment(NamedTuple):
    """One packet of a connection to the metadata service.

    Attributes:
        outgoing: it goes to the service.
        client: packed address of the client.
        port: of the client.
        size: of the payload that was sent, of which `payload` may be the beginning.
    """

    family: int
    outgoing: bool
    client: bytes
    port: int
    seq: int
    flags: int
    size: int
    payload: bytes


def kernel_filter() -> list[tuple[int, int, int, int]]:
    """The filter: requests up to a limit, answers to the end of their status line, nothing else."""
    v4, imds6 = int.from_bytes(IMDS_V4, "big"), struct.unpack(">IIII", IMDS_V6)

    def answer(tcp: int, *, indexed: bool) -> list[tuple[int, int, int, int]]:
        """Cut behind the status line: both headers' lengths and twelve bytes."""
        load = _LDI_B if indexed else _LD_B
        add = (_ADD_X, 0, 0, 0) if indexed else (_ADD, 0, 0, tcp)
        return [
            (load, 0, 0, (0 if indexed else tcp) + 12),
            (_AND, 0, 0, 0xF0),
            (_RSH, 0, 0, 2),
            add,
            (_ADD, 0, 0, STATUS_LINE),
            (_RET_A, 0, 0, 0),
        ]

    drop, keep = (_RET, 0, 0, 0), (_RET, 0, 0, _SNAP)
    four = [
        (_LD_B, 0, 0, 9),
        (_JEQ, 1, 0, _TCP),
        drop,
        (_LDX_IHL, 0, 0, 0),
        (_LD_W, 0, 0, 16),
        (_JEQ, 0, 3, v4),
        (_LDI_H, 0, 0, 2),
        (_JEQ, 0, 1, IMDS_PORT),
        keep,
        (_LD_W, 0, 0, 12),
        (_JEQ, 1, 0, v4),
        drop,
        (_LDI_H, 0, 0, 0),
        (_JEQ, 1, 0, IMDS_PORT),
        drop,
        *answer(0, indexed=True),
    ]
    six: list[tuple[int, int, int, int]] = [(_LD_B, 0, 0, 6), (_JEQ, 1, 0, _TCP), drop]
    to = [(_LD_W, 0, 0, 24 + 4 * n) for n in range(4)]
    # Each test of a word of the destination goes on to the tests of the source where it fails.
    for n in range(4):
        six += [to[n], (_JEQ, 0, 2 * (3 - n) + 3, imds6[n])]
    six += [(_LD_H, 0, 0, 42), (_JEQ, 0, 1, IMDS_PORT), keep]
    for n in range(4):
        six += [(_LD_W, 0, 0, 8 + 4 * n), (_JEQ, 1, 0, imds6[n]), drop]
    six += [(_LD_H, 0, 0, 40), (_JEQ, 1, 0, IMDS_PORT), drop, *answer(40, indexed=False)]
    return [
        (_LD_B, 0, 0, 0),
        (_AND, 0, 0, 0xF0),
        (_JEQ, 2, 0, 0x40),
        (_JEQ, 1 + len(four), 0, 0x60),
        drop,
        *four,
        *six,
    ]


def read_segment(data: bytes) -> Segment | None:
    """A packet from its IP header on; None where it is none of the metadata service's."""
    try:
        if data[0] >> 4 == 4:  # noqa: PLR2004 - the IP version
            family, at = socket.AF_INET, (data[0] & 15) * 4
            whole = int.from_bytes(data[2:4], "big") or len(data)
            source, destination, protocol = data[12:16], data[16:20], data[9]
            imds = IMDS_V4
        else:
            family, at = socket.AF_INET6, 40
            whole = (int.from_bytes(data[4:6], "big") or len(data) - 40) + 40
            source, destination, protocol = data[8:24], data[24:40], data[6]
            imds = IMDS_V6
        if protocol != _TCP or len(data) < at + _HEADER:
            return None
        from_port, to_port, seq = struct.unpack_from(">HHI", data, at)
        start = at + (data[at + 12] >> 4) * 4
        flags = data[at + 13]
    except (IndexError, struct.error):
        return None
    outgoing = destination == imds and to_port == IMDS_PORT
    if not outgoing and not (source == imds and from_port == IMDS_PORT):
        return None
    client, port = (source, from_port) if outgoing else (destination, to_port)
    size = max(0, whole - start)
    return Segment(family, outgoing, client, port, seq, flags, size, data[start : start + size])
