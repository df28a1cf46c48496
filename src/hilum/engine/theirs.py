"""Findings that a module of another environment gave, with the lines of its author."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from hilum.engine.exchange import each_judged
from hilum.findings import Finding
from hilum.wording import printable
from hilum_module.serving import PLACE

LONGEST_PLACE = 100  # characters


class TheirFindings:
    """Judges one after the other; `place` is the line that gave the one it is at, or ""."""

    def __init__(
        self,
        items: Sequence[Mapping[str, Any]],
        arrays: Mapping[str, np.ndarray],
        most_bytes: int,
    ) -> None:
        """`items` and `arrays` as `hilum.engine.exchange.judged` takes them."""
        self.place = ""
        self._items = items
        self._arrays = arrays
        self._most_bytes = most_bytes

    def __iter__(self) -> Iterator[Finding]:
        """Raises `FindingError` for one that is wrong, and as `hilum.engine.exchange.judged`."""
        judged = each_judged(self._items, self._arrays, self._most_bytes)
        for item in self._items:
            self.place = printable(str(item.get(PLACE, "")))[:LONGEST_PLACE]
            yield next(judged)
