"""A ring buffer in the kernel comes in; the records that programs put into it go out, in order.

The layout is the kernel's interface (BPF_MAP_TYPE_RINGBUF, Linux 5.8; the kernel's documentation,
"BPF ring buffer"): a page with how far we have read, a page with how far the kernel has written,
and the records, mapped twice in a row so that none is cut at the end.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import select
from collections.abc import Iterator

_BUSY = 1 << 31
_DISCARD = 1 << 30
_HEADER = 8

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [
    ctypes.c_void_p,
    ctypes.c_size_t,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_long,
]
_libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]


class Ring:
    """A ring buffer's reading end.

    Args:
        descriptor: of the map, which stays its owner's.
        size: of the map, in bytes.

    Raises:
        OSError: it cannot be mapped.
    """

    def __init__(self, descriptor: int, size: int) -> None:
        page = mmap.PAGESIZE
        self._size = size
        # Python's own mmap looks at the file's size, which is none here.
        self._ours = _map(page, mmap.PROT_READ | mmap.PROT_WRITE, descriptor, 0)
        try:
            self._theirs = _map(page + 2 * size, mmap.PROT_READ, descriptor, page)
        except OSError:
            _libc.munmap(self._ours, page)
            raise
        self._consumer = ctypes.c_ulong.from_address(self._ours)
        self._producer = ctypes.c_ulong.from_address(self._theirs)
        self._data = self._theirs + page
        self._poll = select.epoll()
        self._poll.register(descriptor, select.EPOLLIN)

    def wait(self, seconds: float) -> None:
        """Until the kernel says that there is something, or the time is up."""
        self._poll.poll(seconds)

    def fileno(self) -> int:
        """For waiting on other things, too."""
        return self._poll.fileno()

    @property
    def waiting(self) -> int:
        """Bytes that are written and not read."""
        return int(self._producer.value - self._consumer.value)

    def records(self, most: int = 1 << 30) -> Iterator[bytes]:
        """What is there now, at most `most`; one that is still being written ends it for now.

        A record's room is given back when the next one is asked for.
        """
        for _ in range(most):
            at = self._consumer.value
            if at >= self._producer.value:
                return
            where = self._data + (at & (self._size - 1))
            # An aligned load: the kernel writes the length last.
            length = ctypes.c_uint32.from_address(where).value
            if length & _BUSY:
                return
            size = length & ~(_BUSY | _DISCARD)
            if not length & _DISCARD:
                yield ctypes.string_at(where + _HEADER, size)
            self._consumer.value = at + ((size + _HEADER + 7) & ~7)

    def close(self) -> None:
        """Give the mappings back; records cannot be read afterwards."""
        if self._poll.closed:
            return
        self._poll.close()
        _libc.munmap(self._ours, mmap.PAGESIZE)
        _libc.munmap(self._theirs, mmap.PAGESIZE + 2 * self._size)


def _map(length: int, protection: int, descriptor: int, offset: int) -> int:
    found = _libc.mmap(None, length, protection, mmap.MAP_SHARED, descriptor, offset)
    if found is None or found == ctypes.c_void_p(-1).value:
        code = ctypes.get_errno()
        raise OSError(code, f"mmap of the ring: {os.strerror(code)}")
    return int(found)
