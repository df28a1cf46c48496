"""How a study is analysed again: what failed, what was judged otherwise, what newer models see."""

from collections.abc import Iterable

from hilum.acts.pausing import waiting_for, waiting_with
from hilum.acts.releasing import may_have_arrived
from hilum.acts.withdrawing import RejectionNote, RequestAnswer, take_back
from hilum.config.site import Rule
from hilum.dicom.study import Study
from hilum.records.models.requests import Request
from hilum.records.models.workitems import Workitem
from hilum.records.states import (
    UNFINISHED,
    WITHOUT_RUN,
    EventKind,
    WorkitemKind,
    WorkitemState,
)
from hilum.results import WithdrawalReason
from hilum.study.arrival import Arrival
from hilum.study.assembly import RuleDecision, Run, Wait
from hilum.study.flow import Flow
from hilum.study.routing import applies
from hilum.study.runs import not_run_uid, withdrawal_uid
from hilum.wording import listed

AFTER_NOTE = 0.001  # s by which a result follows the note about the one before: both tell times
NO_IMAGES = "none of its images is here; fetch it with `hilum fetch`, or have it sent again"


def begin(flow: Flow, item: Workitem, _asked: Request) -> RequestAnswer:
    """Have an analysis that waits begin before all others, and not wait for the hours of its rule.

    So do those whose findings it waits for. Asked for twice, it says the same.
    """
    _begin_first(flow, item)
    item = flow.records.workitems.one(item.id)
    if item.state in UNFINISHED:
        text = f"{item.module} analyses it before all others{why_it_waits(flow, item)}"
        return RequestAnswer(True, text)
    return RequestAnswer(False, f"it is {item.state}: no analysis of it waits")


def _begin_first(flow: Flow, item: Workitem) -> None:
    for run in flow.composition.awaited(item):
        _begin_first(flow, run)
    flow.turns.begin_first(item, "a person wants it now")


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
    new = flow.workitems.repeated(item, at + AFTER_NOTE, "a person asked for it")
    if item.superseded_by not in (None, new.id):
        return RequestAnswer(False, f"not tried again: {item.superseded_by} has replaced it")
    if not all(path.exists() for path in flow.workitems.images(item)):
        return RequestAnswer(False, "not tried again: its images were removed")
    if item.state is WorkitemState.CANCELLED and may_have_arrived(flow, item):
        taken_back = take_back(flow, item, RejectionNote(at, WithdrawalReason.ANALYSED_AGAIN))
        if not taken_back.done:
            return RequestAnswer(False, f"not tried again: {taken_back.text}")
    text = f"{new.module} {new.version}, tried again"
    flow.records.corrections.repeat(item.id, new.id)
    flow.records.workitems.schedule(new, [(EventKind.SCHEDULED, text)])
    made = flow.records.workitems.one(new.id)
    if made.state is not WorkitemState.SCHEDULED:
        return RequestAnswer(False, f"not tried again: {made.id} is {made.state}")
    flow.launch(made)
    return _again(flow, made)


def _again(flow: Flow, made: Workitem) -> RequestAnswer:
    waits = why_it_waits(flow, made)
    return RequestAnswer(True, f"analysed again by {made.module} as workitem {made.id}{waits}")


def why_it_waits(flow: Flow, item: Workitem) -> str:
    """What holds up the analysis of `item`, as the end of a sentence; "" if nothing does."""
    if item.state is not WorkitemState.SCHEDULED:
        return ""
    if disabled := waiting_with(flow.records, item.module):
        return disabled
    if waits := flow.workitems.hours.told(item, flow.clock()):
        return f"; it {waits}"
    modules = [run.module for run in flow.composition.awaited(item)]
    disabled = "".join(waiting_with(flow.records, module) for module in modules)
    return f"; it waits for the findings of {listed(modules)}{disabled}" if modules else ""


def judge_anew(flow: Flow, item: Workitem) -> RequestAnswer:
    """Have today's rules decide again, at once, on the study of a workitem that was not run."""
    study_uid, module = item.study_uid, item.module
    if all(rule.module != module for rule in flow.site.rule):
        return RequestAnswer(False, f"not tried again: no rule of the settings names {module}")
    flow.workitems.require_files(item)
    arrival = flow.arrivals.reopen(study_uid)
    rules = _rules_for(flow, module, arrival.study())
    before = _runs(flow, study_uid, module)
    decisions = [flow.rules.decision(arrival, rule, flow.clock()) for rule in rules]
    flow.look_at(arrival)
    if not rules:
        return RequestAnswer(False, "not tried again: no rule applies")
    if item.rule_key not in {rule.key for rule in rules}:
        flow.records.workitems.remove(item.id)  # other rules have judged instead
    if new := sorted(_runs(flow, study_uid, module) - before):
        text = f"judged anew: analysed by {module} as workitem {', '.join(new)}"
        return RequestAnswer(True, text + why_it_waits(flow, flow.records.workitems.one(new[-1])))
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


# All of a study, by today's rules -----------------------------------------------------------------


def rerun(flow: Flow, study_uid: str, asked: Request) -> RequestAnswer:
    """Have today's rules and modules decide on a study again, also where no rule had taken it.

    What they want is analysed, unless the same images, rule and module have given a result that
    stands. A new result replaces the one of before, as one on more images does.
    """
    if not flow.arrivals.is_here(study_uid):
        return RequestAnswer(False, f"not run again: {NO_IMAGES}")
    arrival = flow.arrivals.reopen(study_uid)
    study = arrival.study()
    rules = [rule for rule in flow.site.rule if applies(rule, study)]
    decisions = [flow.rules.decision(arrival, rule, flow.clock()) for rule in rules]
    before = {item.id for item in flow.records.workitems.of_study(study_uid)}
    flow.look_at(arrival)
    _forget_other_rules(flow, study_uid, rules)
    answers = [
        _of_rule(flow, arrival, rule, decision, asked, before)
        for rule, decision in zip(rules, decisions, strict=True)
    ]
    if not answers:
        why = f"; the nearest is that of {arrival.reason}" if arrival.reason else ""
        return RequestAnswer(False, f"not run again: no rule takes the study{why}")
    done = [answer for answer in answers if answer.done]
    text = "; ".join(dict.fromkeys(answer.text for answer in done or answers))
    return RequestAnswer(bool(done), text)


def _forget_other_rules(flow: Flow, study_uid: str, rules: Iterable[Rule]) -> None:
    """Forget why rules did not run their module that are no longer there, or no longer apply."""
    of_today = {rule.key for rule in rules}
    for item in flow.records.workitems.of_study(study_uid):
        if item.kind is WorkitemKind.NOT_RUN and item.rule_key not in of_today:
            flow.records.workitems.remove(item.id)


def _of_rule(
    flow: Flow,
    arrival: Arrival,
    rule: Rule,
    decision: RuleDecision,
    asked: Request,
    before: Iterable[str],
) -> RequestAnswer:
    """What one rule makes of a study; what was decided anew is scheduled already."""
    if isinstance(decision, Wait):
        what = " for images" if decision.patience else ""
        return RequestAnswer(True, f"{rule.module} waits{what}: {decision.reason}")
    if not isinstance(decision, Run):
        return _not_run(flow, arrival, rule, decision.reason)
    item = flow.workitems.run(rule, arrival, decision, of_today=True)
    if flow.records.workitems.get(item.id) is None:
        flow.schedule(rule, arrival, decision, item)
    known = flow.records.workitems.get(item.id)
    if known is None:  # another patient, perhaps: the held workitem says what to do
        return _not_run(flow, arrival, rule, "")
    if known.id not in before:
        return _again(flow, known)
    if known.state in (WorkitemState.FAILED, WorkitemState.CANCELLED):
        return run_again(flow, known, asked.at)
    return _nothing_new(flow, known)


def _not_run(flow: Flow, arrival: Arrival, rule: Rule, reason: str) -> RequestAnswer:
    """Why the module of a rule is not run, as it is on record, or else for this `reason`."""
    noted = flow.records.workitems.get(not_run_uid(arrival.study_uid, rule))
    text = noted.reason if noted else reason
    return RequestAnswer(False, f"not run again: {rule.module}: {text}")


def _nothing_new(flow: Flow, item: Workitem) -> RequestAnswer:
    """Why there is no second result of the same images, rule and module."""
    if item.state in UNFINISHED:
        text = f"{item.module} analyses it as workitem {item.id}, which is {item.state}"
        return RequestAnswer(True, text + why_it_waits(flow, item))
    same = f"the same images and rule have given workitem {item.id[-8:]} of {item.module}"
    cures = {
        WorkitemState.PARKED: f"which is parked: `hilum release {item.id[-8:]}` sends it again",
        WorkitemState.WITHDRAWN: "which was taken back",
    }
    then = cures.get(item.state, f"which is {item.state}")
    return RequestAnswer(False, f"nothing new is made: {same}, {then}")
