"""Results that wait until a person acts: a destination refuses, does not show or misfiles them."""

from collections.abc import Iterator

from hilum.alarms.alarm import Alarm, Facts
from hilum.records.states import DeliveryState
from hilum.severity import Severity
from hilum.wording import counted

NOT_TAKEN_OR_SHOWN = (DeliveryState.REFUSED, DeliveryState.NOT_SHOWN)
WHY = "see in `hilum trace STUDY` why, and what to do; after that"


def alarms(facts: Facts) -> Iterator[Alarm]:
    """Those that no newer result has replaced, by destination."""
    deliveries = facts.records.deliveries
    for destination, studies in deliveries.studies_in(*NOT_TAKEN_OR_SHOWN).items():
        text = f"destination {destination} refuses the results of {_studies(studies)}, or has taken"
        text += " them and does not show them: they are not sent again until a person acts"
        cure = f"{WHY}, `hilum release --destination {destination}` sends them again"
        yield Alarm(f"parked {destination}", Severity.ERROR, text, cure, studies=tuple(studies))
    for destination, studies in deliveries.studies_in(DeliveryState.MISFILED).items():
        text = f"destination {destination} shows the results of {_studies(studies)} under another"
        text += " patient than their images"
        cure = f"{WHY}, `hilum release --destination {destination}` asks once more"
        yield Alarm(f"misfiled {destination}", Severity.ERROR, text, cure, studies=tuple(studies))


def _studies(uids: list[str]) -> str:
    return counted(len(uids), "study")
