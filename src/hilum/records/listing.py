"""The line of each study in lists: it follows every change of the study in the same transaction.

So a list is read from one table, however many workitems and events there are.
"""

import secrets
import string
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from textwrap import shorten

import sqlalchemy as sa

from hilum.records import tables, unreadable
from hilum.records.assessed import Assessment, last_of_each, standing_with
from hilum.records.database import insert_once
from hilum.records.listed import StudyIdentifiers, key_of, marked, words_of_name
from hilum.records.models.deliveries import Delivery
from hilum.records.models.studies import Study, StudyAddress
from hilum.records.models.workitems import WorkitemOutline
from hilum.records.rows import TableRows, insert
from hilum.records.states import (
    ASSESSABLE,
    PARKED,
    PROVEN,
    DeliveryState,
    StudyState,
    WorkitemKind,
    WorkitemState,
)
from hilum.study.verdict import Verdict
from hilum.summary import Summary, refusal_in
from hilum.summary.numbers import MeasurementSummary
from hilum.summary.remarks import NoteSummary, UrgencySummary
from hilum.wording import waits_for

ADDRESS = 12  # characters
LONGEST = 300  # characters of a reason
LONGEST_SEARCHED = 1000  # characters of one reason
MOST_REASONS = 20  # of one study that are searched
LETTERS = string.ascii_lowercase + string.digits
WITH_RESULT = (StudyState.COMPLETED, StudyState.DELIVERING)

STUDIES = TableRows(tables.study, Study)
OUTLINES = TableRows(tables.workitem, WorkitemOutline)
DELIVERIES = TableRows(tables.delivery, Delivery)
ASSESSMENTS = TableRows(tables.assessment, Assessment)

listing = tables.listing.c
WITH_PATIENT_DATA = (
    listing.patient_id,
    listing.issuer,
    listing.patient_name,
    listing.accession_number,
    listing.description,
    listing.patient_id_key,
    listing.patient_name_key,
    listing.accession_number_key,
    listing.description_key,
)


@dataclass(frozen=True)
class StudyFacts:
    """What the line of a study is made of."""

    settled: bool
    removed: bool
    corrected: bool  # a person has to decide on corrected patient data
    items: Sequence[WorkitemOutline]  # that no other has replaced, the oldest first
    deliveries: Sequence[Delivery]  # of those
    assessments: Sequence[Assessment] = ()  # of those
    obstacle: str = ""  # why a rule cannot look at it
    reason: str = ""  # as in `Study`
    patience: float = 0.0  # as there


@dataclass(frozen=True)
class Standing:
    """How a study stands, as its line says it."""

    state: StudyState
    states: frozenset[StudyState]
    modules: frozenset[str]  # that could analyse it
    passed_over: frozenset[str]  # that could not: nothing was applicable
    shown: int
    destinations: int
    reason: str
    caution: str
    reasons: tuple[str, ...]
    assessments: frozenset[str]


def new_address() -> str:
    """An address that nobody can guess. It begins with a letter, as no end of a UID does."""
    rest = (secrets.choice(LETTERS) for _ in range(ADDRESS - 1))
    return secrets.choice(string.ascii_lowercase) + "".join(rest)


def standing_of(facts: StudyFacts) -> Standing:
    """What a list says of a study of which `facts` are on record."""
    said = [_said(item, facts.deliveries) for item in facts.items if not _is_folded(item)]
    said += [(StudyState.HELD, CORRECTED)] if facts.corrected else []
    said += [(StudyState.UNJUDGED, facts.obstacle)] if facts.obstacle else []
    is_open = not (facts.settled or facts.removed)
    if is_open and all(state is StudyState.NOT_APPLICABLE for state, _ in said):
        said = [(StudyState.RECEIVING, waits_for(facts.reason, facts.patience))]
    if not said:
        said = [_without_workitem(facts)]
    state = max((state for state, _ in said), key=lambda state: state.urgency)
    reasons = tuple(dict.fromkeys(text for _, text in said if text))
    main = dict.fromkeys(text for of, text in said if of is state and text)
    destinations = {owed.destination: True for owed in facts.deliveries}
    for owed in facts.deliveries:
        destinations[owed.destination] &= owed.state in PROVEN
    return Standing(
        state=state,
        states=frozenset(state for state, _ in said),
        modules=frozenset(item.module for item in facts.items if not _passes_over(item)),
        passed_over=frozenset(item.module for item in facts.items if _passes_over(item)),
        shown=sum(destinations.values()),
        destinations=len(destinations),
        reason=_short("; ".join(main)),
        caution=_short("; ".join(_cautions(facts.items))),
        reasons=reasons[:MOST_REASONS],
        assessments=frozenset(_assessed(facts)),
    )


CORRECTED = "the images were sent again with other patient data: a person decides which are right"


def _said(item: WorkitemOutline, deliveries: Iterable[Delivery]) -> tuple[StudyState, str]:
    """State and reason of one workitem."""
    ours = [owed for owed in deliveries if owed.workitem_id == item.id]
    state = StudyState(item.state)
    if waits := [owed for owed in ours if owed.state in (*PARKED, DeliveryState.DELAYED)]:
        return state, "; ".join(f"{owed.destination}: {owed.reason}" for owed in waits)
    if state is StudyState.NOT_APPLICABLE:
        return state, _objection(item)
    if state in WITH_RESULT and (found := _found(item)):
        return state, found
    return state, item.reason


def _found(item: WorkitemOutline) -> str:
    """The result of a workitem in words, "" if it has none."""
    findings = item.findings or ()
    if refusal := refusal_in(findings):
        return f"refused: {refusal}"
    words = (
        one.in_words() for one in sorted(findings, key=_rank) if not isinstance(one, NoteSummary)
    )
    return "; ".join(filter(None, words))


def _rank(finding: Summary) -> int:
    """What a line that may be cut begins with: how urgent it is, then what is followed."""
    if isinstance(finding, UrgencySummary):
        return 0
    return 1 if isinstance(finding, MeasurementSummary) and finding.followed else 2


def _objection(item: WorkitemOutline) -> str:
    """The first true reason why a module was not run: that against a series it could have taken."""
    against = [verdict for verdict in item.verdicts if not verdict.accepted]
    meant = [verdict for verdict in against if verdict.is_named]
    fitting = meant or [verdict for verdict in against if verdict.fits_modality]
    return _against(fitting[0]) if fitting else item.reason


def _against(verdict: Verdict) -> str:
    reasons = verdict.reasons[:1]
    return ": ".join((verdict.description, *reasons))


def _passes_over(item: WorkitemOutline) -> bool:
    return item.state is WorkitemState.NOT_APPLICABLE


def _is_folded(item: WorkitemOutline) -> bool:
    """Whether a list is silent about a workitem: it says nothing that anybody would ask about.

    That is so where no series is of a modality that its module takes, and of a note that has
    arrived.
    """
    if item.kind.is_note:
        return item.state.final
    if not _passes_over(item):
        return False
    return not any(verdict.fits_modality for verdict in item.verdicts)


def _without_workitem(facts: StudyFacts) -> tuple[StudyState, str]:
    """State and reason of a study that is decided on, and about which no workitem says anything."""
    if facts.items:
        reasons = (item.reason for item in facts.items if item.kind is WorkitemKind.NOT_RUN)
        return StudyState.NOT_APPLICABLE, next(reasons, "")
    nearest = f"the nearest rule is that of {facts.reason}" if facts.reason else ""
    return StudyState.NO_RULE, nearest if facts.settled else ""


def _cautions(items: Iterable[WorkitemOutline]) -> list[str]:
    """That the study is urgent, and what makes a result of it less certain, each thing once."""
    items = list(items)
    found = (one for item in items for one in item.findings or ())
    said = {f"urgent: {one.reason}": None for one in found if isinstance(one, UrgencySummary)}
    for item in items:
        if item.incomplete:
            said[f"incomplete: {item.incomplete}"] = None
        notes = (one for one in item.findings or () if isinstance(one, NoteSummary))
        said |= dict.fromkeys(note.text for note in notes if note.caution)
    return list(said)


def _assessed(facts: StudyFacts) -> Iterator[str]:
    """How the results of the study stand with readers, and what any of them said last of one."""
    for item in facts.items:
        if item.kind is WorkitemKind.RUN and item.state in ASSESSABLE:
            said = [one for one in facts.assessments if one.workitem_id == item.id]
            yield standing_with(said).value
            yield from (one.decision.value for one in last_of_each(said))


def _short(text: str) -> str:
    return shorten(text, LONGEST, placeholder=" ...")


# Rows --------------------------------------------------------------------------------------------


def add(connection: sa.Connection, study_uid: str, last_at: float) -> None:
    """See to it that a study has an address and a line."""
    insert(connection, tables.address, StudyAddress(study_uid, new_address()))
    texts = {column.name: "" for column in listing if isinstance(column.type, sa.String)}
    blank = {**texts, "urgency": 0, "shown": 0, "destinations": 0, "removed": False}
    line = {**blank, "noted": False, "study_uid": study_uid, "last_at": last_at}
    insert_once(connection, tables.listing, line)


def follow(connection: sa.Connection, study_uid: str, last_at: float) -> None:
    """Have the line of a study say when its last image came."""
    _update(connection, study_uid, {"last_at": last_at})


def refresh(connection: sa.Connection, study_uid: str) -> None:
    """Have the line of a study say how it stands after a change in the same transaction."""
    line = sa.select(listing.state).where(listing.study_uid == study_uid)
    # PostgreSQL lets two transactions change one study at once: the second waits here for the
    # first, and then sees what it did (its manual, 13.2.1).
    if connection.execute(line.with_for_update()).first() is None:
        return
    facts = _facts(connection, study_uid)
    said = columns_of_standing(standing_of(facts))
    _update(connection, study_uid, {**said, "removed": facts.removed})


def columns_of_standing(said: Standing) -> dict[str, object]:
    """The columns of a line that say how its study stands."""
    return {
        "state": said.state.value,
        "urgency": said.state.urgency,
        "shown": said.shown,
        "destinations": said.destinations,
        "modules": marked(said.modules),
        "passed_over": marked(said.passed_over),
        "states": marked(said.states),
        "assessments": marked(said.assessments),
        "reason": said.reason,
        "caution": said.caution,
        "reason_key": key_of(text[:LONGEST_SEARCHED] for text in said.reasons),
    }


def _facts(connection: sa.Connection, study_uid: str) -> StudyFacts:
    removal, correction = tables.removal.c, tables.correction.c
    is_open = (correction.study_uid == study_uid, correction.is_open)
    about = sa.select(
        sa.exists().where(removal.study_uid == study_uid), sa.exists().where(*is_open)
    )
    removed, corrected = connection.execute(about).one()
    study = next(iter(STUDIES.select(connection, tables.study.c.study_uid == study_uid)), None)
    obstacle = study.obstacle if study and not removed else ""
    workitem = tables.workitem.c
    current = (workitem.study_uid == study_uid, workitem.superseded_by.is_(None))
    items = OUTLINES.select_readable(
        connection, *current, order_by=workitem.created, blank=unreadable.WORKITEM
    )
    ours = tables.delivery.c.workitem_id.in_([item.id for item in items])
    deliveries = DELIVERIES.select_readable(connection, ours, blank=unreadable.DELIVERY)
    of_results = tables.assessment.c.workitem_id.in_([item.id for item in items])
    assessments = ASSESSMENTS.select(connection, of_results)
    settled = study is not None and study.settled_images > 0
    about_all = (settled, bool(removed), bool(corrected))
    waits = (study.reason, study.patience) if study else ("", 0.0)
    return StudyFacts(*about_all, items, deliveries, assessments, obstacle, *waits)


def note(connection: sa.Connection, study_uid: str, said: StudyIdentifiers) -> None:
    """Have the line of a study say what its images do."""
    _update(connection, study_uid, columns_of_identifiers(said))


def columns_of_identifiers(said: StudyIdentifiers) -> dict[str, object]:
    """The columns of a line that say what the images of its study do."""
    return {
        "noted": True,
        "modalities": marked(said.modalities),
        "study_date": said.study_date,
        "patient_id": said.patient_id,
        "issuer": said.issuer,
        "patient_name": said.patient_name,
        "accession_number": said.accession_number,
        "description": said.description,
        "patient_id_key": key_of(said.every("patient_id")),
        "patient_name_key": key_of(map(words_of_name, said.every("patient_name"))),
        "accession_number_key": key_of(said.every("accession_number")),
        "description_key": key_of(said.every("description")),
    }


def forget_patient(connection: sa.Connection, study_uid: str) -> None:
    """Take everything that may name the patient from the line of a study; its address stays."""
    blank = {column.name: "" for column in WITH_PATIENT_DATA}
    _update(connection, study_uid, {**blank, "noted": True})


def _update(connection: sa.Connection, study_uid: str, values: Mapping[str, object]) -> None:
    line = tables.listing.update().where(listing.study_uid == study_uid)
    connection.execute(line.values(values))
