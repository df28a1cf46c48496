"""What a destination lacks of what it once had, because an older state of it was restored."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hilum.answers import Evidence
from hilum.config.site import Site
from hilum.destinations import Destination, open_destination
from hilum.errors import HilumError, RemovedError
from hilum.inbox import Inbox
from hilum.predecessors import taken_back
from hilum.records import Records
from hilum.records.models.deliveries import Delivery
from hilum.records.models.workitems import Workitem
from hilum.records.states import WorkitemKind, WorkitemState
from hilum.workitems import Workitems

NOT_SENT_AGAIN = (WorkitemState.WITHDRAWN, WorkitemState.CANCELLED)  # its note is, if there is one

OnProgress = Callable[[str, int, int], None]  # the step, and how many of how many are done


@dataclass(frozen=True)
class Lack:
    """Objects of one workitem that a destination had and does not show: so many `of` all.

    `removed` says why they cannot be sent again, "" if they can; then nobody has asked for them.
    """

    item: Workitem
    missing: int
    of: int
    removed: str = ""


def lacks(
    site: Site,
    records: Records,
    destination: str,
    period: tuple[float, float],
    on_progress: OnProgress = lambda _step, _done, _total: None,
) -> Iterator[Lack]:
    """Ask a destination for everything that arrived there in a period (s since 1970), in order.

    Raises `HilumError` if it cannot be asked.
    """
    settings = {one.name: one for one in site.destination}.get(destination)
    if settings is None:
        raise HilumError(f"the settings define no destination {destination}; define it first")
    if settings.proof == "accepted":
        text = f'{destination} has proof = "accepted", so it is asked for nothing'
        raise HilumError(f'{text}: set proof = "query", then ask again')
    workitems = Workitems(records, Inbox(site.data), site.data, {}, {})
    peer = open_destination(settings)
    arrived = records.deliveries.arrived_in(destination, period)
    for number, delivery in enumerate(arrived):
        on_progress(f"asking {destination}", number, len(arrived))
        item = records.workitems.one(delivery.workitem_id)
        if item.state in NOT_SENT_AGAIN or (settings.in_order and item.superseded_by):
            continue
        is_on_reader = item.kind is WorkitemKind.ASSESSMENT and item.about is not None
        if is_on_reader and taken_back(records, str(item.about), settings.in_order):
            continue
        if lack := _lack(item, delivery, peer, workitems):
            yield lack


def _lack(
    item: Workitem, delivery: Delivery, peer: Destination, workitems: Workitems
) -> Lack | None:
    try:
        results = workitems.results_for(delivery)
    except RemovedError as error:
        return Lack(item, 0, 0, str(error))
    if not results:
        return None
    shown = peer.ask(results)
    if shown.evidence is Evidence.NONE:
        raise HilumError(f"{peer.name} says nothing about single objects when it is asked")
    return Lack(item, len(shown.missing), len(results)) if shown.missing else None
