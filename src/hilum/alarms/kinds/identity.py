"""A person has to decide whose images are: they name several patients, or were corrected."""

from collections.abc import Iterable, Iterator

from hilum.alarms.alarm import Alarm, Facts
from hilum.dicom.doubt import CORRECTED, DIFFERENT, FORMER
from hilum.severity import Severity
from hilum.wording import counted


def alarms(facts: Facts) -> Iterator[Alarm]:
    """Studies that are held for it, and those for which nobody has taken a correction."""
    held = facts.records.workitems.held_because((DIFFERENT, FORMER))
    yield from _to_be_decided("patients", "it is not certain whose the images are", held)
    corrected = facts.records.corrections.open_studies()
    yield from _to_be_decided("corrections", CORRECTED, corrected)


def _to_be_decided(name: str, what: str, study_uids: Iterable[str]) -> Iterator[Alarm]:
    uids = tuple(sorted(study_uids))
    if uids:
        wait = "it waits" if len(uids) == 1 else "they wait"
        text = f"{what} in {counted(len(uids), 'study')}; {wait} until a person decides"
        cure = "see in `hilum decide STUDY` whose they are, and take the right ones"
        yield Alarm(name, Severity.WARNING, text, cure, studies=uids)
