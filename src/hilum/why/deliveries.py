"""How far a result has come to the destinations that are to have it (pure)."""

from collections.abc import Sequence
from dataclasses import replace

from hilum.records.models.deliveries import Delivery
from hilum.records.models.workitems import Workitem
from hilum.records.states import (
    ARRIVED,
    PARKED,
    DeliveryState,
    DestinationState,
    EventKind,
    PausedKind,
    WorkitemState,
)
from hilum.records.turn import awaited_result, waits_until
from hilum.why.explanation import Cause, Cure, CureKind, Explanation
from hilum.why.known import SHOWN_DIGITS, Known
from hilum.wording import listed, moment

ALL_IS_WELL = "all is well: "
CAUSE_OF = {
    DeliveryState.WAITING: Cause.DELIVERING,
    DeliveryState.DELAYED: Cause.DELIVERING,
    DeliveryState.ASKED: Cause.DELIVERING,
    DeliveryState.REFUSED: Cause.PARKED,
    DeliveryState.NOT_SHOWN: Cause.NOT_SHOWN,
    DeliveryState.MISFILED: Cause.MISFILED,
    DeliveryState.VERIFIED: Cause.SHOWN,
    DeliveryState.COMMITTED: Cause.SHOWN,
    DeliveryState.ACCEPTED: Cause.SHOWN,
    DeliveryState.CANCELLED: Cause.CANCELLED,
}
ARRIVED_WORDS = {
    DeliveryState.VERIFIED: "is shown in {}",
    DeliveryState.COMMITTED: "is kept by {}, which has committed itself",
    DeliveryState.ACCEPTED: "was accepted by {}, which cannot prove that it shows it",
}
TO_DO = {
    Cause.PARKED: "do what is said of {}, then send it again",
    Cause.NOT_SHOWN: "look for it in {}; then ask once more, which sends what is not shown",
    Cause.MISFILED: "correct it in {}, then ask once more",
}


def of_deliveries(known: Known, item: Workitem, what: str) -> Explanation:
    """What is to be said of the deliveries of `item`, the worst of them first."""
    deliveries = known.deliveries.get(item.id, ())
    if not deliveries:
        return _owed_to_nobody(known, item, what)
    if stuck := [one for one in deliveries if _waits_for_parked(known, one)]:
        return _after_a_person(known, item, what, stuck)
    ranked = sorted(deliveries, key=lambda d: CAUSE_OF[d.state].rank)
    worst = CAUSE_OF[ranked[0].state]
    arrived = [delivery for delivery in deliveries if delivery.state in ARRIVED]
    since = {d: d.verified_at or d.owed_at for d in arrived}
    accepted = {d.destination: at for d, at in since.items() if d.state is DeliveryState.ACCEPTED}
    shown = {d.destination: at for d, at in since.items() if d.destination not in accepted}
    if worst is Cause.SHOWN:
        text, last = ", and ".join(_arrived(what, arrived)), max(since.values())
        well = Explanation(worst, text, since=last, shown_in=shown, accepted_by=accepted)
        return _with_what_differs(known, item, well, [d.destination for d in arrived])
    of_worst = [delivery for delivery in ranked if CAUSE_OF[delivery.state] is worst]
    others = [delivery for delivery in ranked if delivery not in of_worst]
    whole = [_said(known, delivery) for delivery in of_worst]
    said = [_begin(text) for text in whole] if worst in TO_DO else whole
    longer = [text for text in whole if text not in said]
    return Explanation(
        worst,
        f"{what} {HOW[worst]}: {'; '.join(said)}",
        cures=_cures(known, item, worst, of_worst),
        evidence=(*longer, *(_said(known, delivery) for delivery in others)),
        shown_in=shown,
        accepted_by=accepted,
    )


def _with_what_differs(
    known: Known, item: Workitem, well: Explanation, places: Sequence[str]
) -> Explanation:
    """All is well, unless one of `places` has told that its data of the patient are others."""
    told = {
        event.text: event.at
        for event in known.events
        if event.kind is EventKind.CAUTION
        and event.workitem_id == item.id
        and event.text.partition(":")[0] in places
    }
    if not told:
        return replace(well, sentence=f"{ALL_IS_WELL}{well.sentence}")
    said = "; ".join(f"on {moment(at)} {text}" for text, at in told.items())
    cure = Cure(
        CureKind.LOOK,
        "compare the data of the patient there with those here, and have the wrong ones corrected",
        f"hilum decide {known.study_uid}",
    )
    return replace(well, sentence=f"{well.sentence}; but {said}", cures=(cure,))


def _begin(text: str) -> str:
    """The first clause, which says what is wrong; what follows says what to do about it."""
    return text.partition("; ")[0]


HOW = {
    Cause.DELIVERING: "is on its way",
    Cause.PARKED: "is parked",
    Cause.NOT_SHOWN: "is not shown",
    Cause.MISFILED: "is filed under another patient",
    Cause.CANCELLED: "is not sent",
}


def _owed_to_nobody(known: Known, item: Workitem, what: str) -> Explanation:
    if item.state is WorkitemState.DELIVERING:
        return Explanation(Cause.DELIVERING, f"{what} is written, and will be delivered")
    if known.upload and not known.upload.destinations:
        said = f"{what} stays here, as was chosen when the study was uploaded"
        command = f"hilum send-on {item.id[-SHOWN_DIGITS:]} --to DESTINATION"
        cure = Cure(CureKind.SEND_ON, "if it is to go to a destination after all", command)
        return Explanation(Cause.NOWHERE, said, cures=(cure,))
    text = "name destinations in send_to of its rule: later results go there"
    cure = Cure(CureKind.CONFIGURE, text)
    said = f"{what} lies here, and no destination is to have it"
    return Explanation(Cause.NOWHERE, said, cures=(cure,))


def _arrived(what: str, deliveries: Sequence[Delivery]) -> list[str]:
    """Where it has arrived, one part of a sentence for each state."""
    parts: list[str] = []
    for state, words in ARRIVED_WORDS.items():
        places = [_place(delivery) for delivery in deliveries if delivery.state is state]
        if places:
            parts.append(f"{what if not parts else 'it'} {words.format(' and '.join(places))}")
    return parts


def _place(delivery: Delivery) -> str:
    at = delivery.verified_at
    return delivery.destination if at is None else f"{delivery.destination} (since {moment(at)})"


def _said(known: Known, delivery: Delivery) -> str:
    """How one delivery stands, in words."""
    name, state = delivery.destination, delivery.state
    standing = known.destinations.get(name)
    is_away = standing is not None and standing.state is DestinationState.UNREACHABLE
    if state in ARRIVED:
        return f"it {ARRIVED_WORDS[state].format(_place(delivery))}"
    pause = known.pause(PausedKind.DESTINATION, name)
    if CAUSE_OF[state] is Cause.DELIVERING and pause:
        paused = (
            f"{name} has been paused since {moment(pause.since)} by {pause.person}: {pause.reason}"
        )
        return f"{paused}; it waits until {name} goes on"
    if CAUSE_OF[state] is Cause.DELIVERING and is_away and standing:
        problem = f" ({standing.problem})" if standing.problem else ""
        away = f"{name} has not answered since {moment(standing.since)}{problem}"
        return f"{away}; it is sent as soon as {name} does"
    if CAUSE_OF[state] is Cause.DELIVERING and (until := _waits_until(known, delivery)):
        return f"{name} gets it {until}"
    if state is DeliveryState.WAITING:
        return f"{name} gets it now"
    return f"{name}: {delivery.reason}" if delivery.reason else f"{name}: {state}"


def _waits_until(known: Known, delivery: Delivery) -> str:
    return waits_until(delivery, known.items_by_id, known.all_deliveries, known.site.in_order)


def _waits_for_parked(known: Known, delivery: Delivery) -> bool:
    """Whether it is a note on a reader that waits for a result which only a person sends on."""
    result = awaited_result(delivery, known.items_by_id, known.all_deliveries)
    return result is not None and result.state in PARKED


def _after_a_person(
    known: Known, item: Workitem, what: str, stuck: Sequence[Delivery]
) -> Explanation:
    """What is to be said of a note on a result that is parked where the note is to go."""
    names = listed(delivery.destination for delivery in stuck)
    others = [one for one in known.deliveries[item.id] if one not in stuck]
    command = f"hilum release {(item.about or '')[-SHOWN_DIGITS:]}"
    return Explanation(
        Cause.PARKED,
        f"{what} waits, because the result that it is about is parked at {names}",
        cures=(Cure(CureKind.RELEASE, "do what is said of the result, then send that", command),),
        evidence=tuple(_said(known, delivery) for delivery in others),
    )


def _cures(
    known: Known, item: Workitem, worst: Cause, deliveries: Sequence[Delivery]
) -> tuple[Cure, ...]:
    if worst in TO_DO:
        names = listed(delivery.destination for delivery in deliveries)
        command = f"hilum release {item.id[-SHOWN_DIGITS:]}"
        return (Cure(CureKind.RELEASE, TO_DO[worst].format(names), command),)
    places = [delivery.destination for delivery in deliveries]
    paused = [name for name in places if known.pause(PausedKind.DESTINATION, name)]
    if worst is Cause.DELIVERING and paused:
        return tuple(
            Cure(CureKind.RESUME, f"let {name} go on", f"hilum resume {name} --kind destination")
            for name in paused
        )
    standings = (known.destinations.get(delivery.destination) for delivery in deliveries)
    away = [s.name for s in standings if s and s.state is DestinationState.UNREACHABLE]
    if worst is Cause.DELIVERING and away:
        text = f"see what is wrong with {' and '.join(away)}"
        return (Cure(CureKind.LOOK, text, "hilum destinations"),)
    return ()
