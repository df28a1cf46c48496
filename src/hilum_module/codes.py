"""Codes: those that modules need most have names, all others of the standard are found by words.

A test of Hilum's compares the names with its own, and the tables with those of pydicom.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

TABLES = "codes.txt"  # beside this file: scheme, value and meaning of each code of PS3.16


class Code(NamedTuple):
    """A coded concept: of DICOM (`DCM`), SNOMED CT (`SCT`), or a unit (`UCUM`)."""

    value: str
    scheme_designator: str
    meaning: str


HIPPOCAMPUS = Code("5366008", "SCT", "Hippocampus")
LUNG = Code("39607008", "SCT", "Lung")
BRAIN = Code("12738006", "SCT", "Brain")
ANTERIOR = Code("255549009", "SCT", "Anterior")
POSTERIOR = Code("255551008", "SCT", "Posterior")
LEFT = Code("7771000", "SCT", "Left")
RIGHT = Code("24028007", "SCT", "Right")
ANATOMICAL_STRUCTURE = Code("91723000", "SCT", "Anatomical Structure")
VOLUME = Code("118565006", "SCT", "Volume")
LENGTH = Code("410668003", "SCT", "Length")
ANGLE = Code("1483009", "SCT", "Angle")
CUBIC_MILLIMETRE = Code("mm3", "UCUM", "cubic millimeter")
MILLILITRE = Code("ml", "UCUM", "milliliter")
PERCENT = Code("%", "UCUM", "Percent")
NO_UNITS = Code("1", "UCUM", "no units")


def find(words: str, most: int = 20) -> tuple[Code, ...]:
    """The codes of the standard whose meaning has all of `words`, the nearest first.

    A side is no part of most codes: "left kidney" gives that of the kidney, and `LEFT` is the side.
    Empty where there is none.
    """
    given = set(_words(words))
    wanted = given - {LEFT.meaning.lower(), RIGHT.meaning.lower()} or given
    if not wanted:
        return ()
    found: dict[tuple[str, str], tuple[int, str]] = {}
    for value, scheme, meaning in standard():
        plain = meaning.lower()
        if not all(word in plain for word in wanted):
            continue  # nearly all of them, and quicker than to part each into words
        has = _words(plain)
        if wanted <= set(has):
            rank = (len(has), meaning)
            found[scheme, value] = min(found.get((scheme, value), rank), rank)
    nearest = sorted(found, key=lambda code: (*found[code], code))[:most]
    return tuple(Code(value, scheme, found[scheme, value][1]) for scheme, value in nearest)


@lru_cache(maxsize=1)
def standard() -> tuple[Code, ...]:
    """Every code of PS3.16, once for each meaning that it has there."""
    lines = Path(__file__).with_name(TABLES).read_text(encoding="utf-8").splitlines()
    parted = (line.split("\t") for line in lines)
    return tuple(Code(value, scheme, meaning) for scheme, value, meaning in parted)


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())
