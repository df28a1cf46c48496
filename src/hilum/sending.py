"""One more destination receives a result: it is owed, tried again and taken back as any other."""

from hilum.config.kinds import DestinationSettings
from hilum.flow import Flow
from hilum.pausing import waiting_for
from hilum.records.models.deliveries import Delivery
from hilum.records.models.requests import Request
from hilum.records.models.workitems import Workitem
from hilum.records.states import DELIVERED, DeliveryState
from hilum.releasing import replacement, wanted_again
from hilum.withdrawing import RequestAnswer
from hilum.wording import suggestion


def send(flow: Flow, item: Workitem, asked: Request) -> RequestAnswer:
    """Send a result to the destinations that a person chose, with its images if they are wanted.

    Each receives it as its own settings want it. One that is to have it already gets nothing twice.
    """
    defined = {destination.name: destination for destination in flow.site.destination}
    there = {one.destination: one for one in flow.records.deliveries.of_workitem(item.id)}
    if objection := _objection(flow, item):
        return _no(objection)
    owed = []
    for name in asked.wish.destinations:
        if name not in defined:
            return _no(f"no destination is called {name}{suggestion(name, defined)}")
        known = there.get(name)
        if known and known.owed_at == asked.at:
            return _goes(asked.wish.destinations)  # before a crash
        if known and known.state is not DeliveryState.CANCELLED:
            return _no(f"{name} is to have it already: its delivery is {known.state}")
        owed.append(_owed(item, defined[name], asked))
    if not owed:
        return _no("choose a destination")
    flow.workitems.require_files(item)
    for delivery in owed:
        settings = defined[delivery.destination]
        flow.writer.write_also(item, settings)
        known = there.get(settings.name)
        if again := wanted_again(flow, known, settings) if known else "":
            return _no(again)
    answer = _goes(asked.wish.destinations)
    if not flow.records.moves.send(item, owed, answer.text):
        return _no(f"it is {flow.records.workitems.one(item.id).state}")
    flow.outbox.wake()
    waits = waiting_for(flow.records, asked.wish.destinations)
    return RequestAnswer(True, f"{answer.text}{waits}")


def _owed(item: Workitem, settings: DestinationSettings, asked: Request) -> Delivery:
    return Delivery(
        item.id,
        settings.name,
        settings.variant,
        images=asked.wish.images,
        state=DeliveryState.WAITING,
        owed_at=asked.at,
    )


def _objection(flow: Flow, item: Workitem) -> str:
    """Why nothing of a workitem can be sent."""
    if item.kind.is_note:
        return "it is a note about a result, and goes where that went"
    if item.state not in DELIVERED or not flow.records.results.of_workitem(item.id):
        return f"it is {item.state}: there is no result that stands"
    if newer := replacement(flow, item):
        return f"{newer} has replaced it: send that one"
    return ""


def _goes(destinations: tuple[str, ...]) -> RequestAnswer:
    return RequestAnswer(True, f"it goes on to {', '.join(destinations)}")


def _no(why: str) -> RequestAnswer:
    return RequestAnswer(False, f"not sent: {why}")
