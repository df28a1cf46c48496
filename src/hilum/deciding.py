"""Do what follows when a person, or a setting, has decided whose the images of a study are."""

from collections.abc import Iterable, Mapping

from hilum.dicom import codes
from hilum.dicom.doubt import AS_IT_IS, held_for
from hilum.dicom.identity import number_of
from hilum.errors import RemovedError
from hilum.flow import Flow
from hilum.older_runs import remember
from hilum.records.models.requests import Request
from hilum.records.models.workitems import Workitem
from hilum.records.states import UNFINISHED, EventKind, WorkitemState
from hilum.results import WithdrawalReason
from hilum.withdrawing import RejectionNote, RequestAnswer, take_back


def carry_out(flow: Flow, item: Workitem, asked: Request) -> RequestAnswer:
    """Analyse the images of a study under the identity whose key was `asked` for.

    Results that were made of them under another one are taken back first. If the images were sent
    again under it, they take the place of those that are here, all of the analysed ones or none.
    """
    study_uid, identity = item.study_uid, asked.reason
    corrections = flow.corrections
    if identity == AS_IT_IS:
        return _leave(flow, item, number="")
    labels = corrections.labels_of(study_uid, identity)
    if not labels:
        return RequestAnswer(False, "not decided: no image of this study names that patient")
    sent = corrections.versions.of(study_uid, identity)
    was_sent = bool(sent)
    if was_sent and (missing := corrections.missing(study_uid, identity)):
        text = f"not taken: {missing} of the analysed images did not come with these data"
        return RequestAnswer(False, f"{text}; have the whole study sent again")
    older = flow.records.workitems.without_subjects(study_uid)
    remember(flow.records, flow.workitems, older)
    results = corrections.subjects.results_of_others(labels)
    if was_sent:
        later = corrections.subjects.later_results(study_uid, identity, sent)
        results += [result for result in later if result not in results]
    if not (was_sent or results or _is_held(flow, study_uid)):
        return _leave(flow, item, f": number {number_of(identity)}")
    title = codes.INCORRECT_WORKLIST_ENTRY
    said = RejectionNote(asked.at, WithdrawalReason.CORRECTED, title)
    problems = [_end(flow, result, labels, said) for result in results]
    corrections.take(study_uid, identity, labels)
    text = (
        "images with other patient data were taken"
        if was_sent
        else "it was decided which images count"
    )
    why = f"{text}: those of number {number_of(identity)}"
    flow.arrivals.decide(study_uid, identity, asked.at, why)
    _analyse_later_ones(flow, study_uid, results)
    done = f"decided; `hilum trace {study_uid}` shows what becomes of it"
    return RequestAnswer(True, "; ".join([done, *filter(None, problems)]))


def _leave(flow: Flow, item: Workitem, number: str) -> RequestAnswer:
    """Put corrections aside that were sent; the images stay those that are here."""
    if _is_held(flow, item.study_uid):
        return RequestAnswer(False, "not decided: the study is held, so say whose its images are")
    flow.records.corrections.dismiss(item.study_uid)
    text = f"a person decided that the study stays as it is{number}"
    flow.records.events.add(item.study_uid, EventKind.IDENTITY, text, item.id)
    return RequestAnswer(True, "decided: the study stays as it is")


def _is_held(flow: Flow, study_uid: str) -> bool:
    return any(held_for(item.reason) for item in flow.records.workitems.held(study_uid))


def _analyse_later_ones(flow: Flow, study_uid: str, results: Iterable[Workitem]) -> None:
    """Have the rules decide anew on later studies whose results used this one as earlier exam."""
    used = {result.study_uid for result in results if result.earlier_exams}
    for later in sorted(used - {study_uid}):
        text = f"an earlier exam, study {study_uid}, was corrected: the rules decide anew"
        flow.records.events.add(later, EventKind.CORRECTED, text)
        if flow.arrivals.is_here(later):
            flow.arrivals.reopen(later)


def _end(flow: Flow, item: Workitem, labels: Mapping[str, str], said: RejectionNote) -> str:
    """Stop an analysis, or take back its result; what a person has to do besides, or ""."""
    flow.corrections.subjects.leave(item, labels)
    text = "the patient data of its images were corrected"
    moves = flow.records.moves
    if item.state in UNFINISHED:
        moves.set_state(item.id, WorkitemState.CANCELLED, text)
        return ""
    if not flow.records.deliveries.of_workitem(item.id):
        moves.withdraw_here(item, text)  # it is nowhere but here
        return ""
    try:
        answer = take_back(flow, item, said)
    except RemovedError:
        rest = "its images are no longer here for a note: reject it in the archive itself"
        moves.withdraw_here(item, f"{text}; {rest}")
    else:
        rest = answer.rest if answer.done else answer.text
        if rest:  # it may be followed by itself, and then nobody waits for an answer
            flow.records.events.add(item.study_uid, EventKind.FAILED, rest, item.id)
    return f"result {item.id[-8:]}: {rest}" if rest else ""
