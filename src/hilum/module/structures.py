"""`[[label]]` of a card: what the structures are that a network segments, with their codes."""

from functools import cache
from typing import Literal, Self

from pydantic import Field, model_validator
from pydicom.sr.coding import Code

from hilum.dicom import codes
from hilum.findings import Label
from hilum.module.cards import CardTable, CodedTable

UNNUMBERED = 65535  # for what stands in no label map: a line has to have some number
PROPOSED = 5  # codes that a message proposes
SIDES = {"left": codes.LEFT, "right": codes.RIGHT}


class StructureText(CardTable):
    """What a structure is that a network segments.

    `label` is what a reader calls it. Its code (PS3.16, SNOMED CT, ...) stands in `value`, `scheme`
    and `meaning`; without them the words of `label` must be the whole meaning of one code of
    SNOMED CT. `modifier` narrows it, `category` says what kind of thing it is.
    """

    label: str = Field(min_length=1, max_length=64)
    value: str = Field("", max_length=16)
    scheme: str = Field("", max_length=16)
    meaning: str = Field("", max_length=64)
    side: Literal["left", "right"] | None = None
    modifier: CodedTable | None = None
    category: CodedTable | None = None
    colour: tuple[int, int, int] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        _require_known(self.line(UNNUMBERED).code)
        for coded in (self.modifier, self.category):
            if coded:
                _require_known(coded.code)
        return self

    @property
    def code(self) -> Code:
        """What the structure is; `ValueError` where the words of the label do not say it."""
        given = (self.value, self.scheme, self.meaning)
        if all(given):
            return Code(*given)
        if any(given):
            raise ValueError(f"the code of {self.label!r} needs value, scheme and meaning")
        return code_by_words(self.label)

    @property
    def side_code(self) -> Code | None:
        """The side that is stated, or that the words of the label begin or end with."""
        words = self.label.lower().split()
        said = [side for side in SIDES if side in words]
        side = self.side or (said[0] if len(said) == 1 else None)
        return SIDES[side] if side else None

    def line(self, number: int) -> Label:
        """The line of a label map's table that says that `number` is this structure."""
        return Label(
            number,
            self.code,
            self.label,
            modifier=self.modifier.code if self.modifier else None,
            side=self.side_code,
            category=self.category.code if self.category else codes.ANATOMICAL_STRUCTURE,
            colour=self.colour,
        )


@cache  # a card is read again and again, and all tables are searched for each label
def code_by_words(words: str) -> Code:
    """The code of SNOMED CT whose whole meaning is `words`, a side apart.

    Raises `ValueError` that proposes the codes with these words in their meaning: which of them is
    meant, only a person knows.
    """
    plain = " ".join(words.replace("_", " ").split())
    wanted = [word for word in plain.lower().split() if word not in SIDES]
    found = codes.find(plain, PROPOSED)
    same = [c for c in found if c.meaning.lower().split() == wanted and c[1] == "SCT"]
    if len(same) == 1:
        return same[0]
    proposed = "; ".join(
        f'value = "{c.value}", scheme = "{c.scheme_designator}", meaning = "{c.meaning}"'
        for c in found
    )
    raise ValueError(
        f"no one code is called {plain!r}: give value, scheme and meaning"
        + (f", such as {proposed}" if proposed else "")
    )


def _require_known(code: Code) -> None:
    """Raise `ValueError` where all that the standard calls the code has no word of its meaning.

    A code that the standard's tables do not have may be right: they hold a part of SNOMED CT.
    """
    known = codes.meanings(code.value, code.scheme_designator)
    words = set(code.meaning.lower().split())
    if known and not any(words & set(meaning.lower().split()) for meaning in known):
        means = " or ".join(map(repr, sorted(known)))
        raise ValueError(
            f"({code.value}, {code.scheme_designator}) means {means}, not {code.meaning!r}"
        )
