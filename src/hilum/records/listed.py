"""The line of a study in lists, as values: what its images say, and how it stands.

Patient data stand in these values. They are left out where one of them is printed, such as in a
log.
"""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BeforeValidator

from hilum.records.states import StudyState
from hilum.wording import printable

EDGE = "|"  # around each of several marks in one column
ALONE = str.maketrans("øłđħŧæœıðþ", "oldhtaoidt")  # letters that Unicode does not take apart
ACCENTS = (0x300, 0x36F)  # Combining Diacritical Marks


def _marks(text: Any) -> Any:
    return text.strip(EDGE).split(EDGE) if text else ()


Marks = Annotated[tuple[str, ...], BeforeValidator(_marks)]


@dataclass(frozen=True)
class StudyIdentifiers:
    """What the images of a study say about it; "" and () are what they do not.

    Each value is that of the first image that states it. `others` are what further images state
    otherwise, by the same names: by those a study is found as well. `study_date` is YYYYMMDD, and
    `patient_name` as DICOM writes it (PS3.5 6.2.1).
    """

    patient_id: str = field(default="", repr=False)
    issuer: str = field(default="", repr=False)
    patient_name: str = field(default="", repr=False)
    accession_number: str = field(default="", repr=False)
    study_date: str = field(default="", repr=False)
    description: str = field(default="", repr=False)
    modalities: tuple[str, ...] = ()
    others: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    def every(self, name: str) -> tuple[str, ...]:
        """All values of the attribute `name` that images state."""
        also = (value for other, value in self.others if other == name)
        return tuple(filter(None, (getattr(self, name), *also)))


@dataclass(frozen=True)
class ListedStudy:
    """One line of a list. `state` is None, and little is known, until an older study was read.

    `reason` is what its state rests on: the result in words, or the first true objection.
    `destinations` are to have its results, and `shown` of them have proven that they do.
    """

    study_uid: str
    address: str
    images: int
    first_at: float
    last_at: float
    state: Annotated[StudyState | None, BeforeValidator(lambda state: state or None)]
    reason: str
    caution: str
    shown: int
    destinations: int
    removed: bool
    modules: Marks
    assessments: Marks  # how its results stand with readers
    modalities: Marks
    study_date: str = field(repr=False)
    patient_id: str = field(repr=False)
    issuer: str = field(repr=False)
    patient_name: str = field(repr=False)
    accession_number: str = field(repr=False)
    description: str = field(repr=False)


def marked(values: Iterable[str]) -> str:
    """`values` as one column, so that each can be found as a whole."""
    plain = sorted({value.replace(EDGE, "/") for value in values if value})
    return f"{EDGE}{EDGE.join(plain)}{EDGE}" if plain else ""


def folded(text: str) -> str:
    """`text` as it is compared: without case, accents, and more than one space between words.

    Two forms in which Unicode writes the same letter become one.
    """
    first, last = ACCENTS
    apart = unicodedata.normalize("NFKD", printable(text).casefold())
    plain = "".join(c for c in apart if not first <= ord(c) <= last).translate(ALONE)
    whole = unicodedata.normalize("NFKC", plain).casefold()
    return " ".join(printable(whole).split())


def key_of(values: Iterable[str]) -> str:
    """All `values`, folded, each on a line of its own; "" for none."""
    lines = dict.fromkeys(filter(None, map(folded, values)))
    return "\n" + "".join(f"{line}\n" for line in lines) if lines else ""


def words_of_name(name: str) -> str:
    """A name with a space between its components and groups (PS3.5 6.2.1)."""
    return name.replace("^", " ").replace("=", " ")
