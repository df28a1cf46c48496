"""Do what people ask the running gateway for (`asking.py` is the side of the command line)."""

import logging
from collections.abc import Callable

from hilum.acts.analysing import analyse, analyse_short
from hilum.acts.deciding import carry_out
from hilum.acts.releasing import may_have_arrived, release
from hilum.acts.rerunning import begin, rerun, retry
from hilum.acts.sending import send
from hilum.acts.taken import is_replaced_at
from hilum.acts.withdrawing import RequestAnswer, withdraw
from hilum.assessments.passing_on import pass_on
from hilum.errors import HilumError, where
from hilum.records.models.requests import Request
from hilum.records.models.workitems import Workitem
from hilum.records.states import (
    ARRIVED,
    TAKEN,
    EventKind,
    RequestAction,
    WorkitemKind,
    WorkitemState,
)
from hilum.study.flow import Flow

log = logging.getLogger(__name__)


def obey(flow: Flow) -> None:
    """Do what was asked for since. Doing it twice, after a crash, changes nothing."""
    for asked in flow.records.requests.waiting():
        try:
            answer = _done(flow, asked)
            _tell(flow, asked, answer.rest)
        except OSError as error:
            if asked.action in BY_ITSELF:
                log.warning("%s: %s; it is tried again", asked.action, error.strerror)
                continue
            answer = RequestAnswer(False, f"not done: {error.strerror}; ask again")
        except HilumError as error:
            answer = RequestAnswer(False, f"not done: {error}")
            _tell(flow, asked, answer.text)
        except Exception as error:  # noqa: BLE001 - one request must not stop the gateway
            answer = RequestAnswer(False, f"not done: {where(error)}")
            _tell(flow, asked, answer.text)
        flow.records.requests.answer(asked.id, answer.done, answer.text)


def _tell(flow: Flow, asked: Request, said: str) -> None:
    """Write what a person has to know to the trace, where nobody waits for the answer."""
    if said and asked.action in BY_ITSELF:
        text = f"{asked.action}: {said}"
        log.error("workitem %s: %s", asked.workitem_id, text)
        flow.records.events.add(asked.study_uid, EventKind.FAILED, text, asked.workitem_id)


def _done(flow: Flow, asked: Request) -> RequestAnswer:
    if asked.action in ON_STUDIES:
        return ON_STUDIES[asked.action](flow, asked.study_uid, asked)
    item = flow.records.workitems.get(asked.workitem_id)
    if item is None:
        return RequestAnswer(False, "there is no such workitem")
    return ACTIONS[asked.action](flow, item, asked)


def resend(flow: Flow, item: Workitem, asked: Request) -> RequestAnswer:
    """Ask a destination, which `asked` names, for what it once had; send again what it lacks."""
    deliveries = flow.records.deliveries.of_workitem(item.id)
    arrived = [d for d in deliveries if d.destination == asked.reason and d.state in ARRIVED]
    if not arrived:
        return RequestAnswer(False, f"not sent again: nothing of it has arrived at {asked.reason}")
    if is_replaced_at(flow, arrived[0]):
        return RequestAnswer(False, f"not sent again: {item.superseded_by} has taken its place")
    flow.workitems.require_files(item)
    reason = f"{asked.reason} is asked for it again, and receives what it lacks"
    if not flow.records.moves.resend(item, asked.reason, reason, asked.at):
        return RequestAnswer(False, f"not sent again: it is {item.state}")
    flow.outbox.wake()
    return RequestAnswer(True, reason)


def cancel(flow: Flow, item: Workitem, _asked: Request) -> RequestAnswer:
    """Stop an analysis, or what was not delivered yet of its results; or leave a failure as it is.

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
        done = records.moves.cancel(item, text) or item.state is WorkitemState.CANCELLED
        if item.state is WorkitemState.HELD:
            records.corrections.dismiss(item.study_uid)
        if may_have_arrived(flow, item):
            text += "; a part of it may have arrived, `hilum withdraw` takes that back"
        refusal = f"not cancelled: it is {item.state}"
    return RequestAnswer(done, text if done else refusal)


# No person asked for it, so none would ask again.
BY_ITSELF = (RequestAction.PASS_ON, RequestAction.WITHDRAW_REJECTED)
ACTIONS: dict[RequestAction, Callable[[Flow, Workitem, Request], RequestAnswer]] = {
    RequestAction.RELEASE: release,
    RequestAction.RESEND: resend,
    RequestAction.RETRY: retry,
    RequestAction.BEGIN: begin,
    RequestAction.CANCEL: cancel,
    RequestAction.DECIDE: carry_out,
    RequestAction.WITHDRAW: withdraw,
    RequestAction.WITHDRAW_REJECTED: withdraw,
    RequestAction.ANALYSE_SHORT: analyse_short,
    RequestAction.SEND_ON: send,
    RequestAction.PASS_ON: pass_on,
}
ON_STUDIES: dict[RequestAction, Callable[[Flow, str, Request], RequestAnswer]] = {
    RequestAction.RERUN: rerun,
    RequestAction.ANALYSE: analyse,
}
