"""Ask a DICOMweb service what it has: QIDO-RS (PS3.18 10.6), in JSON or XML."""

from collections.abc import Collection, Iterator, Sequence
from http import HTTPStatus
from typing import Any

from hilum.errors import RESTART
from hilum.searching import QUERY_IDENTIFIERS, StudySearch
from hilum.transport.dicom_json import Item, items_of, values
from hilum.transport.web import HttpClient, Response

DICOM_JSON = "application/dicom+json"
DICOM_XML = 'multipart/related; type="application/dicom+xml"'
NOTHING = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
STUDY_INSTANCE_UID = "StudyInstanceUID"
TAGS = {STUDY_INSTANCE_UID: "0020000D", "AccessionNumber": "00080050", "PatientID": "00100020"}


def studies_of(peer: HttpClient, wanted: StudySearch, may_name_patients: bool) -> Iterator[str]:
    """The Study Instance UIDs of the studies that are there.

    By identifiers only where `may_name_patients`; if nothing else could be asked, that is refused.
    """
    asked = [key for key in wanted.keys if may_name_patients or key[0] == STUDY_INSTANCE_UID]
    if not asked:
        raise peer.refusal(QUERY_IDENTIFIERS)
    for keyword, value in asked:
        found = matches(peer, "studies", NOTHING, params={keyword: value})
        for item in found:
            if value in map(str, values(item, TAGS[keyword])):  # others do not understand the key
                yield from map(str, values(item, TAGS[STUDY_INSTANCE_UID]))


def matches(
    peer: HttpClient, path: str, nothing: Sequence[HTTPStatus] = (), **request: Any
) -> list[Item]:
    """The data sets at `path`; none for a status of `nothing`."""
    answer = answer_at(peer, path, nothing, **request)
    return [] if answer.status in nothing else items_in(peer, answer)


def answer_at(
    peer: HttpClient, path: str, expected: Collection[HTTPStatus], **request: Any
) -> Response:
    """The answer in JSON; in XML if the archive knows no other form (406)."""
    no_json = HTTPStatus.NOT_ACCEPTABLE
    both = (*expected, no_json)
    answer = peer.ask("GET", path, expected=both, headers={"Accept": DICOM_JSON}, **request)
    if answer.status != no_json:
        return answer
    return peer.ask("GET", path, expected=expected, headers={"Accept": DICOM_XML}, **request)


def items_in(peer: HttpClient, answer: Response) -> list[Item]:
    """The data sets in an answer; a refusal with the cure where there is something else."""
    items = items_of(answer)
    if items is None:
        raise peer.refusal(f"does not answer in DICOM JSON or XML: correct url, {RESTART}")
    return items
