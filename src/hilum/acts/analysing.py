"""A person chooses what is analysed: a module that no rule names, or a series that is short."""

from collections.abc import Iterator
from dataclasses import replace

from hilum.acts.rerunning import NO_IMAGES, run_again, why_it_waits
from hilum.acts.withdrawing import RequestAnswer
from hilum.config.site import Rule
from hilum.records.models.requests import Request, Wish
from hilum.records.models.workitems import Workitem
from hilum.records.states import WITHOUT_RESULT, WorkitemState
from hilum.study.arrival import Arrival
from hilum.study.assembly import Hold, NotApplicable, Run, Wait
from hilum.study.flow import Flow
from hilum.study.routing import MOST_SAID
from hilum.wording import suggestion


def analyse(flow: Flow, study_uid: str, asked: Request) -> RequestAnswer:
    """Run the module that a person has chosen, whatever the rules say of module and series.

    Of what the module needs nothing is passed over. The results go to the destinations that were
    chosen, and nowhere else.
    """
    wish = asked.wish
    if objection := next(_objections(flow, wish), ""):
        return _no(objection)
    arrival = flow.arrivals.as_it_is(study_uid)
    if arrival is None:
        return _no(NO_IMAGES)
    standing = flow.workitems.standing(study_uid, wish.module)
    if any(item.asked and item.created == asked.at for item in standing):
        return _begun(flow, standing[-1])  # before a crash
    if results := [item for item in standing if item.state not in WITHOUT_RESULT]:
        item = results[-1]
        cure = "run the study again, or send that result on"
        return _no(f"workitem {item.id[-8:]} of {wish.module} is {item.state}: {cure}")
    tilt = next((one.tilt for one in flow.site.rule if one.module == wish.module), "refuse")
    rule = Rule(module=wish.module, send_to=wish.destinations, incomplete="analyse", tilt=tilt)
    return _run(flow, arrival, rule, asked)


def _objections(flow: Flow, wish: Wish) -> Iterator[str]:
    """What is wrong with what was chosen."""
    if wish.module not in flow.needs:
        yield f"no module is called {wish.module}{suggestion(wish.module, flow.needs)}"
    defined = {destination.name for destination in flow.site.destination}
    for name in wish.destinations:
        if name not in defined:
            yield f"no destination is called {name}{suggestion(name, defined)}"


def _run(flow: Flow, arrival: Arrival, rule: Rule, asked: Request) -> RequestAnswer:
    decision = flow.rules.decision(arrival, rule, flow.clock())
    if isinstance(decision, Wait):
        return _too_early(decision)
    if not isinstance(decision, Run):
        return _no(_unfit(decision))
    if hold := flow.corrections.objection(arrival, decision.selection):
        return _no(hold.reason)
    item = flow.workitems.asked(rule, arrival, decision, asked.at)
    return _start(flow, arrival, decision, item)


def _start(flow: Flow, arrival: Arrival, run: Run, item: Workitem) -> RequestAnswer:
    """Have a workitem analysed, or the one on record repeated that ended without a result."""
    known = flow.records.workitems.get(item.id)
    if known is None and (lack := flow.workitems.lack(item)):
        return _no(lack)
    if known is None:
        flow.schedule(item.rule, arrival, run, item)
        return _begun(flow, flow.records.workitems.one(item.id))
    if known.state in (WorkitemState.FAILED, WorkitemState.CANCELLED):
        return run_again(flow, replace(known, rule=item.rule, asked=item.asked), item.created)
    return _no(f"workitem {known.id[-8:]} of the same images is {known.state}")


def _too_early(wait: Wait) -> RequestAnswer:
    if not wait.patience:
        return _no(f"{wait.reason}: ask again")
    return _no(f"more images may come ({wait.reason}): ask again when they have")


def _unfit(decision: Hold | NotApplicable) -> str:
    """Why no series can be analysed: no rule has chosen among them, so each is told."""
    if isinstance(decision, Hold):
        return decision.reason
    verdicts = decision.selection.verdicts
    told = [f"{one.description}: {'; '.join(one.reasons)}" for one in verdicts[:MOST_SAID]]
    more = len(verdicts) - len(told)
    return "; ".join([*told, *([f"and {more} more series"] if more else [])]) or decision.reason


def _begun(flow: Flow, item: Workitem) -> RequestAnswer:
    places = ", ".join(item.rule.send_to)
    where = f"its result goes to {places}" if places else "its result stays here"
    text = f"{item.module} analyses it as workitem {item.id}; {where}"
    return RequestAnswer(True, text + why_it_waits(flow, item))


def analyse_short(flow: Flow, item: Workitem, asked: Request) -> RequestAnswer:
    """Analyse a held series that is shorter than announced; the result says INCOMPLETE.

    One with gaps, or of which it is not sure whose it is, is never analysed so.
    """
    last = flow.records.workitems.last_run(item.study_uid, item.rule_key)
    if last and last.created == asked.at:
        return _begun(flow, last)  # before a crash
    if item.state is not WorkitemState.HELD:
        return _no(f"it is {item.state}, not held")
    arrival = flow.arrivals.as_it_is(item.study_uid)
    if arrival is None:
        return _no(NO_IMAGES)
    rules = [rule for rule in flow.site.rule if rule.key == item.rule_key]
    rule = (rules or [item.rule])[0].model_copy(update={"incomplete": "analyse"})
    decision = flow.rules.decision(arrival, rule, flow.clock())
    if isinstance(decision, Wait):
        return _too_early(decision)
    if not isinstance(decision, Run):
        return _no(f"only a series that is shorter than announced can be; {decision.reason}")
    if hold := flow.corrections.objection(arrival, decision.selection):
        return _no(hold.reason)
    new = flow.workitems.run(rule, arrival, decision)
    answer = _start(flow, arrival, decision, replace(new, rule=rule, created=asked.at))
    if answer.done:
        flow.records.workitems.remove(item.id)  # it says why nothing was run
    return answer


def _no(why: str) -> RequestAnswer:
    return RequestAnswer(False, f"not analysed: {why}")
