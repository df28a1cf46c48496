"""Do what people ask the running gateway for (`asking.py` is the side of the command line)."""

import time
from collections.abc import Callable, Iterable

from hilum.assembly import RuleDecision, Wait, decide
from hilum.config.site import Rule
from hilum.deciding import carry_out
from hilum.dicom.study import Study
from hilum.errors import HilumError, where
from hilum.flow import Flow
from hilum.pausing import waiting_for
from hilum.records.models import Request, Workitem
from hilum.records.states import (
    ARRIVED,
    TAKEN,
    WITHOUT_RUN,
    EventKind,
    RequestAction,
    WorkitemKind,
    WorkitemState,
)
from hilum.releasing import may_have_arrived, release
from hilum.routing import applies
from hilum.runs import withdrawal_uid
from hilum.withdrawing import RejectionNote, RequestAnswer, take_back, withdraw

WHY_AGAIN = "It was cancelled while it was sent, and the images are analysed again."


def obey(flow: Flow) -> None:
    """Do what was asked for since. Doing it twice, after a crash, changes nothing."""
    for asked in flow.records.requests.waiting():
        item = flow.records.workitems.get(asked.workitem_id)
        try:
            unknown = RequestAnswer(False, "there is no such workitem")
            answer = ACTIONS[asked.action](flow, item, asked) if item else unknown
        except OSError as error:
            answer = RequestAnswer(False, f"not done: {error.strerror}; ask again")
        except HilumError as error:
            answer = RequestAnswer(False, f"not done: {error}")
        except Exception as error:  # noqa: BLE001 - one request must not stop the gateway
            answer = RequestAnswer(False, f"not done: {where(error)}")
        flow.records.requests.answer(asked.id, answer.done, answer.text)


def retry(flow: Flow, item: Workitem, asked: Request) -> RequestAnswer:
    """Analyse again what failed, as a workitem of its own; or deliver now what waits.

    What was not run is judged anew. What was cancelled is taken back first wherever a part of it
    may have arrived.
    """
    if item.state in WITHOUT_RUN:
        return judge_anew(flow, item)
    if item.state is WorkitemState.DELIVERING:
        hurried = flow.records.deliveries.hurry(item.id)
        flow.outbox.wake()
        owed = flow.records.deliveries.owed_of([item.id])
        waits = waiting_for(flow.records, (delivery.destination for delivery in owed))
        text = f"tried again now, or as soon as the destination answers{waits}"
        return RequestAnswer(bool(hurried), text if hurried else "it is being delivered")
    has_failed = item.failure is not None or item.state is WorkitemState.FAILED
    is_ended = item.state is WorkitemState.CANCELLED or _was_taken_back_for(flow, item, asked)
    if not item.is_run or not (has_failed or is_ended):
        return RequestAnswer(False, f"not tried again: it is {item.state}, not failed or cancelled")
    return run_again(flow, item, asked.at)


def _was_taken_back_for(flow: Flow, item: Workitem, asked: Request) -> bool:
    """Whether it was taken back for this request, before a crash."""
    note = flow.records.workitems.get(withdrawal_uid(item.id))
    return note is not None and note.created == asked.at


def run_again(flow: Flow, item: Workitem, at: float) -> RequestAnswer:
    """Analyse the images of a workitem once more, as a workitem that was made at time `at`."""
    new = flow.workitems.repeated(item, at, "a person asked for it")
    if item.superseded_by not in (None, new.id):
        return RequestAnswer(False, f"not tried again: {item.superseded_by} has replaced it")
    if not all(path.exists() for path in flow.workitems.images(item)):
        return RequestAnswer(False, "not tried again: its images were removed")
    if item.state is WorkitemState.CANCELLED and may_have_arrived(flow, item):
        taken_back = take_back(flow, item, RejectionNote(at, WHY_AGAIN))
        if not taken_back.done:
            return RequestAnswer(False, f"not tried again: {taken_back.text}")
    text = f"{new.module} {new.version}, tried again"
    flow.records.corrections.repeat(item.id, new.id)
    flow.records.workitems.schedule(new, [(EventKind.SCHEDULED, text)])
    made = flow.records.workitems.one(new.id)
    if made.state is not WorkitemState.SCHEDULED:
        return RequestAnswer(False, f"not tried again: {made.id} is {made.state}")
    flow.launch(made)
    return RequestAnswer(True, f"analysed again as workitem {made.id}")


def judge_anew(flow: Flow, item: Workitem) -> RequestAnswer:
    """Have today's rules decide again, at once, on the study of a workitem that was not run."""
    study_uid, module = item.study_uid, item.module
    if all(rule.module != module for rule in flow.site.rule):
        return RequestAnswer(False, f"not tried again: no rule of the settings names {module}")
    flow.workitems.require_files(item)
    arrival = flow.arrivals.reopen(study_uid)
    rules = _rules_for(flow, module, arrival.study())
    before = _runs(flow, study_uid, module)
    decisions = [decide(arrival, flow.needs[module], rule, time.time()) for rule in rules]
    flow.look_at(arrival)
    if not rules:
        return RequestAnswer(False, "not tried again: no rule applies")
    if item.rule_key not in {rule.key for rule in rules}:
        flow.records.workitems.remove(item.id)  # other rules have judged instead
    if new := sorted(_runs(flow, study_uid, module) - before):
        return RequestAnswer(True, f"judged anew: analysed as workitem {', '.join(new)}")
    return _without_run(flow, item, decisions)


def _rules_for(flow: Flow, module: str, study: Study) -> list[Rule]:
    return [rule for rule in flow.site.rule if rule.module == module and applies(rule, study)]


def _without_run(flow: Flow, item: Workitem, decisions: Iterable[RuleDecision]) -> RequestAnswer:
    """Say what the `decisions` on the study of a workitem are, none of which is to run."""
    if waits := [decision.reason for decision in decisions if isinstance(decision, Wait)]:
        return RequestAnswer(True, f"judged anew: {'; '.join(waits)}")
    items = flow.records.workitems.of_module(item.study_uid, item.module)
    said = "; ".join(f"{i.state}, {i.reason}" for i in items if i.state in WITHOUT_RUN)
    return RequestAnswer(False, f"judged anew: {said}")


def _runs(flow: Flow, study_uid: str, module: str) -> set[str]:
    items = flow.records.workitems.of_module(study_uid, module)
    return {item.id for item in items if item.is_run}


def resend(flow: Flow, item: Workitem, asked: Request) -> RequestAnswer:
    """Ask a destination, which `asked` names, for what it once had; send again what it lacks."""
    deliveries = flow.records.deliveries.of_workitem(item.id)
    if not any(d.destination == asked.reason and d.state in ARRIVED for d in deliveries):
        return RequestAnswer(False, f"not sent again: nothing of it has arrived at {asked.reason}")
    flow.workitems.require_files(item)
    reason = f"{asked.reason} is asked for it again, and receives what it lacks"
    if not flow.records.workitems.resend(item, asked.reason, reason, asked.at):
        return RequestAnswer(False, f"not sent again: it is {item.state}")
    flow.outbox.wake()
    return RequestAnswer(True, reason)


def cancel(flow: Flow, item: Workitem, _asked: Request) -> RequestAnswer:
    """Stop an analysis, or what was not delivered yet of its results.

    Not of a note that takes a result back: that would stand, and be called withdrawn.
    """
    if item.kind is WorkitemKind.WITHDRAWAL:
        return RequestAnswer(
            False, "not cancelled: it is a note, and what it takes back would stay"
        )
    records = flow.records
    deliveries = records.deliveries.of_workitem(item.id)
    taken = sorted(d.destination for d in deliveries if d.state in TAKEN)
    text = "cancelled by a person"
    take_it_back = f"`hilum withdraw` takes it back from {', '.join(taken)}"
    if taken:
        done = records.deliveries.cancel(item, text) > 0
        flow.outbox.settle(item.id)
        text += f" for the other destinations; {take_it_back}"
        refusal = f"not cancelled: nothing of it is still to be sent; {take_it_back}"
    else:
        done = records.workitems.cancel(item, text) or item.state is WorkitemState.CANCELLED
        if item.state is WorkitemState.HELD:
            records.corrections.dismiss(item.study_uid)
        if may_have_arrived(flow, item):
            text += "; a part of it may have arrived, `hilum withdraw` takes that back"
        refusal = f"not cancelled: it is {item.state}"
    return RequestAnswer(done, text if done else refusal)


ACTIONS: dict[RequestAction, Callable[[Flow, Workitem, Request], RequestAnswer]] = {
    RequestAction.RELEASE: release,
    RequestAction.RESEND: resend,
    RequestAction.RETRY: retry,
    RequestAction.CANCEL: cancel,
    RequestAction.DECIDE: carry_out,
    RequestAction.WITHDRAW: withdraw,
}
