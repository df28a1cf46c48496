"""From what somebody asks for to the answer that the records give."""

from dataclasses import replace

from hilum.config.site import Site
from hilum.errors import HilumError
from hilum.records import Records
from hilum.records.views import studies_named, studies_of_patient
from hilum.searching import StudySearch
from hilum.why.absence import never_arrived
from hilum.why.explanation import Explanation
from hilum.why.items import of_item
from hilum.why.known import Known
from hilum.why.study import of_study

LONGEST = 64  # characters: of an LO, and of a UID (PS3.5 6.2)
SHORTEST_END = 6  # characters of a UID that stand for the whole


def explain(site: Site, records: Records, wanted: str, now: float) -> Explanation:
    """The cause that most needs a person among all studies that are meant by `wanted`.

    It is a patient ID, an accession number, the address or the UID of a study, the id of a
    workitem, or the end of one of the latter two. `now` is in s since 1970.

    Raises
    ------
    HilumError
        `wanted` is empty or too long, or several studies end so.
    """
    wanted = checked(wanted)
    if studies := studies_meant(records, wanted):
        found = [
            one
            for study_uid in studies
            for one in of_study(Known.of(site, records, study_uid, now))
        ]
        found.sort(key=lambda one: one.cause.rank)  # the newest study first where that is equal
        if found:
            return replace(found[0], others=tuple(found[1:]))
    if (item_of := _workitem_meant(records, wanted)) is not None:
        item = records.workitems.one(item_of)
        return of_item(Known.of(site, records, item.study_uid, now), item)
    return never_arrived(site, records, now)


def checked(wanted: str) -> str:
    """`wanted` without space around it; `HilumError` where nothing can be called so."""
    wanted = wanted.strip()
    if not wanted:
        raise HilumError("name a study: an accession number, a patient ID, an address or a UID")
    if len(wanted) > LONGEST:
        raise HilumError(f"it is longer than {LONGEST} characters: nothing in DICOM is called so")
    return wanted


def search_for(records: Records, wanted: str) -> StudySearch:
    """What archives are asked for: the studies by UID where they are known here, else by all."""
    studies = studies_meant(records, wanted)
    if studies:
        return StudySearch(study_uids=tuple(studies))
    return StudySearch.by_any(wanted)


def studies_meant(records: Records, wanted: str) -> list[str]:
    """UIDs of the studies that are meant, the newest first.

    By what names one study at first, then by accession number, and then by patient ID.
    """
    named = studies_named(records, wanted) or studies_of_patient(records, wanted)
    return named or _ending(records, wanted)


def _ending(records: Records, wanted: str) -> list[str]:
    """The one study whose UID ends so; none where `wanted` is no end of a UID."""
    if len(wanted) < SHORTEST_END or set(wanted) - set("0123456789."):
        return []
    found = records.studies.ending(wanted)
    if not found and "." in wanted:  # only then: it looks at every event
        found = records.events.studies_ending(wanted)
    if len(found) > 1:
        raise HilumError("several studies end so: name the whole UID")
    return found


def _workitem_meant(records: Records, wanted: str) -> str | None:
    if len(wanted) < SHORTEST_END:
        return None
    found = records.workitems.ids_ending(wanted)
    return found[0] if len(found) == 1 else None
