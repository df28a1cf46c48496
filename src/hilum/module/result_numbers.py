"""Numbers in the JSON that a module outside of Hilum leaves, and what they measure."""

import math
from collections.abc import Iterable, Iterator
from contextlib import suppress

from pydantic import Field
from pydicom.sr.coding import Code

from hilum.findings import Finding, Measurement, Note
from hilum.module.cards import CodedTable


class ResultNumber(CodedTable):
    """A number in the JSON that a module leaves, and what it measures.

    `key` is where it stands, with dots between the keys on the way to it; an item of a list goes by
    its number, from 0. `unit` is UCUM.
    """

    key: str = Field(min_length=1)
    unit: str = Field(min_length=1, max_length=16)

    def read(self, result: object) -> float | None:
        """The number in `result`; None where there is none, or one that is not finite."""
        for key in self.key.split("."):
            if isinstance(result, list) and key.isdecimal() and int(key) < len(result):
                result = result[int(key)]
            else:
                result = result.get(key) if isinstance(result, dict) else None
        if not isinstance(result, int | float) or isinstance(result, bool):
            return None
        with suppress(OverflowError):  # an integer of hundreds of digits
            return float(result) if math.isfinite(result) else None
        return None


def numbers_of(result: object, wanted: Iterable[ResultNumber]) -> Iterator[Finding]:
    """A measurement for each number that is `wanted`, or a note that there is none."""
    for number in wanted:
        value = number.read(result)
        if value is None:
            yield Note(f"the module gave no number for {number.meaning.lower()}", caution=True)
        else:
            yield Measurement(number.code, value, Code(number.unit, "UCUM", number.unit))
