"""Items in groups that are in memory at one time."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")


def batches(
    items: Iterable[Item], size_of: Callable[[Item], int], limit: int
) -> Iterator[list[Item]]:
    """Groups of at most `limit` bytes, to be in memory at one time; a larger item is alone."""
    batch: list[Item] = []
    size = 0
    for item in items:
        length = size_of(item)
        if batch and size + length > limit:
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += length
    if batch:
        yield batch
