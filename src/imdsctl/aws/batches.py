"""Cutting lists down to what one AWS call takes."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def in_batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of up to `size` items, in their order."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch
