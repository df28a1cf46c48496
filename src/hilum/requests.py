"""What people ask the running gateway for, on the command line (`asking.py` is their side)."""

import time
from collections.abc import Callable

from hilum.assembly import Wait
from hilum.assembly import decide as judge
from hilum.deciding import decide
from hilum.errors import HilumError, where
from hilum.flow import Flow
from hilum.records import tables
from hilum.records.states import OWED, Delivery, State
from hilum.routing import applies
from hilum.runs import repeated_uid
from hilum.withdrawing import Answer, withdraw

NOT_RUN = (State.NOT_APPLICABLE, State.HELD)


def obey(flow: Flow) -> None:
    """Do what was asked for since; doing it twice, after a crash, changes nothing."""
    for asked in flow.records.find(tables.request, order_by="id", answer=None):
        rows = flow.records.find(tables.workitem, id=asked["workitem_id"])
        try:
            unknown = Answer(False, "there is no such workitem")
            answer = ACTIONS[asked["action"]](flow, rows[0], asked) if rows else unknown
        except OSError as error:
            answer = Answer(False, f"not done: {error.strerror}; ask again")
        except HilumError as error:
            answer = Answer(False, f"not done: {error}")
        except Exception as error:  # noqa: BLE001 - one request must not stop the gateway
            answer = Answer(False, f"not done: {where(error)}")
        # what the person wrote may name the patient; it stands in the note and is not kept here
        values = {"answer": answer.text, "done": answer.done, "reason": ""}
        flow.records.change(tables.request, {"id": asked["id"]}, **values)


def release(flow: Flow, row: tables.Row, _asked: tables.Row) -> Answer:
    """Deliver again what a destination refused; the cause is cured."""
    records = flow.records
    refused = records.find(tables.delivery, workitem_id=row["id"], state=Delivery.REFUSED)
    if not refused:
        return Answer(False, f"not released: it is {row['state']}, nothing of it was refused")
    defined = {destination.name for destination in flow.site.destination}
    known = tuple(sorted({d["destination"] for d in refused} & defined))
    if not known:
        text = "not released: its destination is not defined; define it and restart Hilum"
        return Answer(False, text)
    names = ", ".join(known)
    key = {"workitem_id": row["id"], "state": Delivery.REFUSED, "destination": known}
    records.change(tables.delivery, key, state=Delivery.WAITING, attempts=0, next_attempt=0.0)
    records.set_state(row["id"], State.DELIVERING, f"released, goes to {names}", kind="released")
    flow.outbox.wake()
    return Answer(True, f"released; it goes to {names}")


def retry(flow: Flow, row: tables.Row, asked: tables.Row) -> Answer:
    """Analyse again what failed, as a workitem of its own; or deliver now what waits.

    What was not run is judged anew.
    """
    if State(row["state"]) in NOT_RUN:
        return judge_anew(flow, row)
    if row["state"] == State.DELIVERING:
        key = {"workitem_id": row["id"], "state": Delivery.DELAYED}
        hurried = flow.records.change(tables.delivery, key, next_attempt=0.0)
        flow.outbox.wake()
        text = "sent again now, or as soon as the destination answers"
        return Answer(bool(hurried), text if hurried else "it is being delivered")
    has_failed = row["failure"] is not None or State(row["state"]) is State.FAILED
    if not row["inputs"] or not (has_failed or State(row["state"]) is State.CANCELLED):
        return Answer(False, f"not tried again: it is {row['state']}, not failed or cancelled")
    module = flow.facts[row["module"]]
    again = repeated_uid(row["id"], module)
    if row["superseded_by"] not in (None, again):
        return Answer(False, f"not tried again: {row['superseded_by']} has replaced it")
    if not all(path.exists() for path in flow.workitems.images(row)):
        return Answer(False, "not tried again: its images were removed")
    values = {**row, "id": again, "created": asked["at"], "predecessor": row["id"]}
    values |= {"version": module.version, "weights_sha256": module.weights_sha256}
    values |= {"title": module.title, "launch": 0, "runs": 0, "findings": None, "failure": None}
    values |= {"state": State.SCHEDULED, "reason": "a person asked for it"}
    if flow.records.put(tables.workitem, **values):
        text = f"{module.name} {module.version}, tried again"
        flow.records.add_event(row["study_uid"], "scheduled", text, again)
    flow.corrections.repeat(row["id"], again)
    flow.records.change(tables.workitem, {"id": row["id"]}, superseded_by=again)
    made = flow.records.one(tables.workitem, id=again)
    if State(made["state"]) is not State.SCHEDULED:
        return Answer(False, f"not tried again: {again} is {made['state']}")
    flow.launch(made)
    return Answer(True, f"analysed again as workitem {again}")


def judge_anew(flow: Flow, row: tables.Row) -> Answer:
    """Have today's rules decide again, at once, on the study of a workitem that was not run."""
    study_uid, module = row["study_uid"], row["module"]
    rules = [rule for rule in flow.site.rule if rule.module == module]
    if not rules:
        return Answer(False, f"not tried again: no rule of the settings names {module}")
    flow.workitems.require_files(row)
    arrival = flow.arrivals.reopen(study_uid)
    rules = [rule for rule in rules if applies(rule, arrival.study())]
    before = _runs(flow, study_uid, module)
    decisions = [judge(arrival, flow.needs[module], rule, time.time()) for rule in rules]
    flow.look_at(arrival)
    new = sorted(_runs(flow, study_uid, module) - before)
    if rules and row["rule_key"] not in {rule.key for rule in rules}:
        flow.records.remove(tables.workitem, id=row["id"])  # other rules have judged instead
    if new:
        return Answer(True, f"judged anew: analysed as workitem {', '.join(new)}")
    if waits := [decision.reason for decision in decisions if isinstance(decision, Wait)]:
        return Answer(True, f"judged anew: {'; '.join(waits)}")
    items = flow.records.find(tables.workitem, study_uid=study_uid, module=module)
    not_run = [item for item in items if State(item["state"]) in NOT_RUN]
    said = "; ".join(f"{item['state']}, {item['reason']}" for item in not_run)
    return Answer(False, f"judged anew: {said}" if rules else "not tried again: no rule applies")


def _runs(flow: Flow, study_uid: str, module: str) -> set[str]:
    rows = flow.records.find(tables.workitem, study_uid=study_uid, module=module)
    return {row["id"] for row in rows if row["inputs"]}


def cancel(flow: Flow, row: tables.Row, _asked: tables.Row) -> Answer:
    """Stop an analysis, or what was not delivered yet of its results."""
    records = flow.records
    deliveries = records.find(tables.delivery, workitem_id=row["id"])
    shown = sorted(d["destination"] for d in deliveries if d["state"] == Delivery.VERIFIED)
    text = "cancelled by a person"
    if not shown:
        done = records.set_state(row["id"], State.CANCELLED, text)
        done = done or row["state"] == State.CANCELLED
        if row["state"] == State.HELD:
            flow.corrections.dismiss(row["study_uid"])
    key = {"workitem_id": row["id"], "state": (*OWED, Delivery.REFUSED)}
    stopped = records.change(tables.delivery, key, state=Delivery.CANCELLED, reason=text)
    if shown:
        done = stopped > 0
        flow.outbox.settle(row["id"])
        text += f" for the other destinations; it is in {', '.join(shown)}: see hilum withdraw"
    elif deliveries:
        text += "; if a part of it was under way already, hilum withdraw takes that back"
    return Answer(done, text if done else f"not cancelled: it is {row['state']}")


ACTIONS: dict[str, Callable[[Flow, tables.Row, tables.Row], Answer]] = {
    "release": release,
    "retry": retry,
    "cancel": cancel,
    "decide": decide,
    "withdraw": withdraw,
}
