"""Studies are found by what their images say and by how they stand: all in one table."""

import dataclasses
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date

import sqlalchemy as sa

from hilum.errors import HilumError
from hilum.records import tables
from hilum.records.database import Database
from hilum.records.listed import EDGE, ListedStudy, folded, words_of_name
from hilum.records.rows import Condition, read, select
from hilum.records.states import AssessmentStanding, StudyOrder, StudyState
from hilum.wording import printable

LONGEST = 300  # characters of a text that is looked for
MOST_WORDS = 40
ANY = "*"  # at the end of a number: whatever follows

line = tables.listing.c
address = tables.address.c
study = tables.study.c
ORDERS = {
    StudyOrder.NEWEST: (line.last_at.desc(), line.study_uid.desc()),
    StudyOrder.OLDEST: (line.last_at, line.study_uid),
    StudyOrder.STATE: (line.urgency.desc(), line.last_at.desc(), line.study_uid.desc()),
}
BACKWARDS = {
    StudyOrder.NEWEST: ORDERS[StudyOrder.OLDEST],
    StudyOrder.OLDEST: ORDERS[StudyOrder.NEWEST],
    StudyOrder.STATE: (line.urgency, line.last_at, line.study_uid),
}


@dataclass(frozen=True)
class StudyQuery:
    """Which studies are looked for; each condition that is given must be met.

    No text depends on case or accents. Of the words, each must be a part of the name or of the
    description, or begin the patient ID or the accession number, or be the address or the UID of
    the study. A `patient_id` or `accession_number` is meant as a whole, or as its beginning if it
    ends in `*`. A name is found by any parts of it, in any of its three groups (PS3.5 6.2.1). Of
    several modalities, modules, states or assessments, one is enough; a state is that of the study
    or of one of its workitems, an assessment that of one of its standing results. Patient data do
    not show where a query is printed, such as in a log.

    Raises
    ------
    HilumError
        A text is longer than 300 characters, or there are more than 40 words.
    """

    words: tuple[str, ...] = field(default=(), repr=False)
    patient_id: str = field(default="", repr=False)
    patient_name: str = field(default="", repr=False)
    accession_number: str = field(default="", repr=False)
    description: str = field(default="", repr=False)
    first_date: date | None = field(default=None, repr=False)
    last_date: date | None = field(default=None, repr=False)
    modalities: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    passed_over: tuple[str, ...] = ()
    states: tuple[StudyState, ...] = ()
    assessments: tuple[AssessmentStanding, ...] = ()
    reason: str = field(default="", repr=False)
    order: StudyOrder = StudyOrder.NEWEST

    def __post_init__(self) -> None:
        texts = [text for value in vars(self).values() for text in _texts_in(value)]
        if any(len(text) > LONGEST for text in texts):
            raise HilumError(f"a text of more than {LONGEST} characters is looked for: shorten it")
        if len(_words(" ".join(texts))) > MOST_WORDS:
            raise HilumError(f"more than {MOST_WORDS} words are looked for: leave some out")


class SearchRecords:
    """All studies, as a query finds them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def count(self, query: StudyQuery) -> int:
        """How many studies are found."""
        found = sa.select(_NUMBER).select_from(tables.listing).where(*_conditions(query))
        (row,) = select(self._database, found)
        return int(row.number)

    def unread(self) -> int:
        """Of how many studies it is not known yet how they stand, or what their images say."""
        older = sa.or_(line.urgency == 0, line.noted.is_(False))
        (row,) = select(self._database, sa.select(_NUMBER).where(older))
        return int(row.number)

    def at(self, place: str) -> ListedStudy | None:
        """The study with the address `place`, if there is one."""
        found = read(self._database, ListedStudy, _LINES.where(address.address == place))
        return found[0] if found else None

    def of(self, study_uids: Iterable[str]) -> dict[str, ListedStudy]:
        """Several studies, by their UIDs."""
        found = read(self._database, ListedStudy, _LINES.where(line.study_uid.in_(study_uids)))
        return {one.study_uid: one for one in found}

    def page(self, query: StudyQuery, total: int, skip: int, most: int) -> list[ListedStudy]:
        """The `most` that follow the first `skip` of the `total` ones that are found.

        Those near the end are counted from there, so the last page comes as soon as the first.
        """
        most = min(most, total - skip)
        if most <= 0:
            return []
        order, after = ORDERS[query.order], total - skip - most
        is_near_end = after < skip
        wanted = sa.select(line.study_uid).where(*_conditions(query))
        wanted = wanted.order_by(*(BACKWARDS[query.order] if is_near_end else order))
        few = wanted.limit(most).offset(after if is_near_end else skip).subquery()
        found = _LINES.join(few, few.c.study_uid == line.study_uid).order_by(*order)
        return read(self._database, ListedStudy, found)


_NUMBER = sa.func.count().label("number")
_OF_OTHERS = {"address": address.address, "images": study.images, "first_at": study.first_at}
_LINES = (
    sa.select(
        *(
            _OF_OTHERS[one.name] if one.name in _OF_OTHERS else line[one.name]
            for one in dataclasses.fields(ListedStudy)
        )
    )
    .join_from(tables.listing, tables.address, address.study_uid == line.study_uid)
    .join(tables.study, study.study_uid == line.study_uid)
)


def _texts_in(value: object) -> Iterator[str]:
    values = value if isinstance(value, tuple) else (value,)
    return (one for one in values if type(one) is str)  # not those of an enum


def _conditions(query: StudyQuery) -> Iterator[Condition]:
    for word in _words(" ".join(query.words)):
        yield _is_meant(word)
    yield from _all_in(line.patient_name_key, query.patient_name)
    yield from _all_in(line.description_key, query.description)
    yield from _all_in(line.reason_key, query.reason)
    yield from _is_numbered(line.patient_id_key, query.patient_id)
    yield from _is_numbered(line.accession_number_key, query.accession_number)
    if query.first_date or query.last_date:
        first, last = query.first_date or date.min, query.last_date or date.max
        yield line.study_date.between(_written(first), _written(last))
    yield from _has_one(line.modalities, [text.upper() for text in query.modalities])
    yield from _has_one(line.modules, query.modules)
    yield from _has_one(line.passed_over, query.passed_over)
    yield from _has_one(line.states, query.states)
    yield from _has_one(line.assessments, query.assessments)


def _is_meant(word: str) -> Condition:
    """What a word in the search box may be."""
    within = (line.patient_name_key, line.description_key)
    numbers = (line.patient_id_key, line.accession_number_key)
    called = sa.select(address.study_uid).where(address.address == word)
    return sa.or_(
        *(column.contains(word, autoescape=True) for column in within),
        *(column.contains(f"\n{word}", autoescape=True) for column in numbers),
        line.study_uid.in_(called),
        line.study_uid == word,
    )


def _all_in(column: sa.Column[str], text: str) -> Iterator[Condition]:
    return (column.contains(word, autoescape=True) for word in _words(text))


def _is_numbered(column: sa.Column[str], text: str) -> Iterator[Condition]:
    """Whether a number is `text`, or begins so."""
    if number := folded(text.removesuffix(ANY)):
        end = "" if text.endswith(ANY) else "\n"
        yield column.contains(f"\n{number}{end}", autoescape=True)


def _written(day: date) -> str:
    return day.isoformat().replace("-", "")


def _has_one(column: sa.Column[str], marks: Collection[str]) -> Iterator[Condition]:
    whole = [f"{EDGE}{printable(mark)}{EDGE}" for mark in marks]
    if whole:
        yield sa.or_(*(column.contains(mark, autoescape=True) for mark in whole))


def _words(text: str) -> list[str]:
    """The words of a text or name as they are compared."""
    return folded(words_of_name(text)).split()
