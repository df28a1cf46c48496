"""Studies are held because images are missing: they wait until those come, or a person acts."""

from collections.abc import Iterator

from hilum.alarms.alarm import Alarm, Facts
from hilum.dicom.doubt import HELD_FOR
from hilum.severity import Severity
from hilum.wording import counted


def alarms(facts: Facts) -> Iterator[Alarm]:
    """All of them together; those that wait for a decision on the patient are told apart."""
    uids = tuple(sorted(facts.records.workitems.held_otherwise(HELD_FOR)))
    if uids:
        waits = "it waits" if len(uids) == 1 else "they wait"
        yield Alarm(
            "held",
            Severity.WARNING,
            f"images are missing in {counted(len(uids), 'study')}: {waits} until they come, or a "
            "person acts",
            "see in `hilum why STUDY` what is missing; have it sent, have what is here analysed,"
            " or cancel it",
            studies=uids,
        )
