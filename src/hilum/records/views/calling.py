"""What people call a study: one look-up for commands, pages and the API."""

from hilum.errors import HilumError
from hilum.records import Records
from hilum.records.search import ANY, StudyQuery
from hilum.wording import counted

MOST_STUDIES = 20  # with one accession number, the newest ones


def studies_named(records: Records, wanted: str) -> list[str]:
    """UIDs of the studies that `wanted` names, the newest first and no more than `MOST_STUDIES`.

    It is the UID or the address of one study, or else the accession number of one or several.
    """
    if records.events.has_study(wanted):
        return [wanted]
    if (study_uid := records.identifiers.study_at(wanted)) is not None:
        return [study_uid]
    return [] if wanted.endswith(ANY) else _found(records, StudyQuery(accession_number=wanted))


def studies_of_patient(records: Records, patient_id: str) -> list[str]:
    """The same for those of a patient."""
    return [] if patient_id.endswith(ANY) else _found(records, StudyQuery(patient_id=patient_id))


def study_called(records: Records, wanted: str) -> str:
    """The UID of the one study that `wanted` names, or whose UID ends so.

    Where no study of which images came ends so, those are looked at of which none was taken in.

    Raises
    ------
    HilumError
        There is none, or there are several: then they are listed, and none is chosen.
    """
    named = studies_named(records, wanted)
    if len(named) > 1:
        addresses = records.identifiers.addresses(named)
        listed = ", ".join(addresses.get(uid, uid) for uid in named)
        text = f"{counted(len(named), 'study')} have this accession number: name one by its address"
        raise HilumError(f"{text} ({listed})")
    if named:
        return named[0]
    found = records.studies.ending(wanted) or records.events.studies_ending(wanted)
    if len(found) != 1:
        many = "several studies end" if found else "no study ends"
        raise HilumError(f"{many} in {wanted}; `hilum status` lists those that came in")
    return found[0]


def _found(records: Records, query: StudyQuery) -> list[str]:
    total = records.search.count(query)
    found = records.search.page(query, total, 0, MOST_STUDIES)
    return [study.study_uid for study in found]
