"""What a delivery that is owed waits for, as the queries of `deliveries.py` have it (pure)."""

from collections.abc import Collection, Mapping

from hilum.records.models.deliveries import Delivery
from hilum.records.models.workitems import Workitem
from hilum.records.states import OWED, PARKED, WorkitemKind
from hilum.wording import AFTER_ITS_RESULT, IN_ITS_TURN


def waits_until(
    owed: Delivery,
    items: Mapping[str, Workitem],
    deliveries: Collection[Delivery],
    in_order: Collection[str],
) -> str:
    """When the destination gets it, in words; "" if nothing has to go there before.

    `items` are those of its study, by id, and `deliveries` theirs. `in_order` are the destinations
    where the results of a study go one after the other (see `Site.in_order`).
    """
    if result := awaited_result(owed, items, deliveries):
        return f"{AFTER_ITS_RESULT}{', and it is parked' if result.state in PARKED else ''}"
    before = (
        other
        for other in deliveries
        if other.destination == owed.destination
        and other.state in OWED
        and other.owed_at < owed.owed_at
        # a note may wait for a person who releases its result; others do not wait for them
        and not awaited_result(other, items, deliveries)
    )
    return IN_ITS_TURN if owed.destination in in_order and any(before) else ""


def awaited_result(
    note: Delivery, items: Mapping[str, Workitem], deliveries: Collection[Delivery]
) -> Delivery | None:
    """The delivery of the result that a `note` on a reader is about, if it may still arrive."""
    item = items.get(note.workitem_id)
    if item is None or item.kind is not WorkitemKind.ASSESSMENT or not item.about:
        return None
    about = items.get(item.about)
    is_replaced = about is not None and about.superseded_by is not None
    may_still_arrive = OWED if is_replaced else (*OWED, *PARKED)
    return next(
        (
            one
            for one in deliveries
            if (one.workitem_id, one.destination) == (item.about, note.destination)
            and one.state in may_still_arrive
        ),
        None,
    )
