"""What a reader may say of which result, for the pages, the API and the command line alike.

An assessment is on record and nowhere else: the result objects stay as they are, and so does their
Verification Flag (0040,A493), UNVERIFIED. A report is verified by who signs it in the hospital's
own reporting.
"""

import re
import time
from collections.abc import Callable
from typing import Protocol

from hilum.asking import current_of_study, the_one_of, wake, workitem_ending
from hilum.audit import AuditedAct, AuditOutcome
from hilum.config.site import Site
from hilum.decision import AssessmentDecision
from hilum.errors import HilumError
from hilum.records import Records
from hilum.records.assessed import Assessment
from hilum.records.listed import ListedStudy, folded, words_of_name
from hilum.records.states import (
    ASSESSABLE,
    WorkitemKind,
    WorkitemState,
)

LONGEST_REASON = 500  # characters
SHORTEST_NUMBER = 4  # characters; a shorter patient ID may be any number in a reason
WITH_REASON = (AssessmentDecision.REJECTED, AssessmentDecision.SUPPLEMENTED)

TAKEN_BACK = "it was taken back: a result that no longer stands is not assessed"
NOTE = "it is a note about a result, not a result"
NO_RESULT = "it is {}, so there is no result of it to assess"
TAKES_BACK = "a reader rejects it"
CHANGED = "the result has changed meanwhile: look at it again"
REASON_MISSING = "say why it is {}: the reason is what others learn from"
REASON_TOO_LONG = f"the reason has more than {LONGEST_REASON} characters: shorten it"
NAMES_PATIENT = (
    "the reason names the patient: write it without the name and without numbers of them"
)


AuditIt = Callable[[AuditedAct, str, AuditOutcome], object]  # by whoever says it; act, and why


class MayBeAssessed(Protocol):
    """Of a workitem what says whether its result may be assessed."""

    @property
    def kind(self) -> WorkitemKind:
        """What the workitem is."""

    @property
    def state(self) -> WorkitemState:
        """How the workitem stands."""


def objection_to(item: MayBeAssessed) -> str:
    """Why the result of a workitem is not assessed, as the rest of a sentence; "" if it may be.

    That another run has replaced it is no objection: what was wrong with the older one stays true.
    """
    if item.kind.is_note:
        return NOTE
    if item.state is WorkitemState.WITHDRAWN:
        return TAKEN_BACK
    has_result = item.kind is WorkitemKind.RUN and item.state in ASSESSABLE
    return "" if has_result else NO_RESULT.format(item.state)


def fault_in(reason: str, decision: AssessmentDecision, study: ListedStudy) -> str:
    """What is wrong with the reason for a decision on a result of `study`; "" if nothing is.

    It may not hold the patient ID, the accession number, or two parts of the name of the patient:
    a single one may be a word of the language.
    """
    if decision in WITH_REASON and not reason.strip():
        return REASON_MISSING.format(decision)
    if len(reason) > LONGEST_REASON:
        return REASON_TOO_LONG
    said = set(re.split(r"[^\w-]+", folded(reason)))
    numbers = {folded(study.patient_id), folded(study.accession_number)}
    has_number = any(len(one) >= SHORTEST_NUMBER and one in said for one in numbers)
    name = set(folded(words_of_name(study.patient_name)).split())
    return NAMES_PATIENT if has_number or len(name & said) > 1 else ""


def is_taken_back(site: Site, decision: AssessmentDecision) -> bool:
    """Whether a result of which a reader says this is taken back wherever it lies."""
    return decision is AssessmentDecision.REJECTED and site.assessment.withdraw_rejected


def put_on_record(site: Site, records: Records, said: Assessment) -> Assessment | None:
    """Note what a reader says; destinations are told, and the result is taken back, as set.

    None if it has no result any more that may be assessed.
    """
    pass_on = any(one.assessments for one in site.destination)
    taken_back = is_taken_back(site, said.decision)
    made = records.assessments.add(said, pass_on, taken_back)
    if made and (pass_on or taken_back):
        wake(site.data)
    return made


def audited(note: AuditIt, site: Site, records: Records, said: Assessment) -> Assessment | None:
    """Put it on record once the audit trail has it, which also says so if it could not be done.

    The trail has the decision without the reason, which may name a patient.
    """
    asked = {AuditedAct.ASSESS: str(said.decision)}
    if is_taken_back(site, said.decision):
        asked[AuditedAct.WITHDRAW] = TAKES_BACK
    for act, why in asked.items():
        note(act, why, AuditOutcome.ASKED)
    made = put_on_record(site, records, said)
    if made is None:
        for act in asked:
            note(act, CHANGED, AuditOutcome.FAILED)
    return made


def said_here(
    workitem_id: str, reader: str, identity: str, decision: AssessmentDecision, reason: str
) -> Assessment:
    """What a reader says now, in the console, by the API or by a command."""
    return Assessment(workitem_id, 0, time.time(), reader, identity, decision, reason)


def to_be_assessed(records: Records, ending: str, module: str = "") -> str:
    """The id of the workitem that ends so, or of the one with a standing result of a study.

    Raises
    ------
    HilumError
        There is none, or there are several; the text names them.
    """
    if found := workitem_ending(records, ending):
        return found
    current = current_of_study(records, ending)
    meant = [item for item in current if module in ("", item.module)]
    able = [item for item in meant if not objection_to(item)]
    if able:
        return the_one_of(able)
    said = "; ".join(f"{item.module}: {objection_to(item)}" for item in meant)
    raise HilumError(said or "no module has a result of this study; `hilum status` shows it")
