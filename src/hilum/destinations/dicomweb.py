"""Deliver by STOW-RS; prove it by QIDO-RS and WADO-RS metadata (PS3.18 10.4 to 10.6)."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, field_validator

from hilum.answers import WHOSE, Acceptance, Answer, Checked, Filed, Shown
from hilum.config.ends import DicomwebService
from hilum.config.fields import OrEmpty, WebAddress
from hilum.config.kinds import DestinationSettings
from hilum.destinations import CALL_SECONDS, OF_SERIES, is_answered, of_study, series_under, tried
from hilum.dicom.uids import derived_uid
from hilum.errors import RESTART, DeliveryDelayed, DeliveryError, DeliveryRefused
from hilum.results import DICOM, Result
from hilum.searching import StudySearch
from hilum.transport.batches import batches
from hilum.transport.dicom_json import values
from hilum.transport.qido import (
    DICOM_JSON,
    NOTHING,
    answer_at,
    items_in,
    matches,
    studies_of,
)
from hilum.transport.statuses import refused
from hilum.transport.stow import (
    MultipartFiles,
    answers_in,
    comment_in,
    is_about_objects,
    is_web_page,
)
from hilum.transport.web import EVERY_STATUS, Failures, HttpClient, Response

if TYPE_CHECKING:  # whoever only reads hilum.toml needs none
    from pydicom.dataset import Dataset

    from hilum.dicom.instance import Instance

NOT_THERE = (
    "nor does it show it: look for it there, and for the cause in its log; `hilum release` sends "
    "it again"
)
REQUEST_BYTES = 64 << 20  # archives hold a whole request in memory
SOP_INSTANCE_UID = "00080018"
STUDIES = "/studies"
THERE = (HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.NOT_IMPLEMENTED)  # no proxy answers so
NOT_OFFERED = (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED)
OFFERED = (  # how an archive that stores may answer to a request without an object
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.CONFLICT,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.INTERNAL_SERVER_ERROR,
)

FAILURES = Failures(DeliveryDelayed, DeliveryRefused, DeliveryRefused)
NO_STOW = f"the address does not take results: enable STOW-RS there, or correct url, {RESTART}"
WEB_PAGE = (
    f"it answers with a web page, so nothing shows that it stores: correct url, {RESTART}, or let "
    "whatever stands in front of it (a login page, a proxy) pass STOW-RS on"
)
NO_QIDO = (
    "it does not answer queries (QIDO-RS): enable them there, or name the service that does "
    f'(query_url), or set proof = "accepted", {RESTART}'
)
CURES: dict[int, str] = {
    HTTPStatus.BAD_REQUEST: "the archive says that the request is wrong: its log names the cause",
    HTTPStatus.METHOD_NOT_ALLOWED: NO_STOW,
    HTTPStatus.NOT_IMPLEMENTED: NO_STOW,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "the archive does not take DICOM files: enable STOW-RS",
}
QUERY_CURES: dict[int, str] = dict.fromkeys(NOT_OFFERED, NO_QIDO)


class DicomwebDestinationSettings(DicomwebService, DestinationSettings):
    """An archive with a DICOMweb service."""

    kind: Literal["dicomweb"] = Field(
        "dicomweb", description="STOW-RS to an archive with DICOMweb, proven by QIDO-RS."
    )
    proof: Literal["query", "accepted"] = Field(
        "query",
        description="What shows that a result has arrived: it is asked for (query), or nothing "
        "but that it was accepted (accepted), for services without QIDO-RS.",
    )
    url: WebAddress = Field(
        description="DICOMweb root, such as http://pacs:8042/dicom-web.",
        examples=["http://127.0.0.1:8042/dicom-web"],
    )
    query_url: Annotated[WebAddress, OrEmpty] = Field(
        "",
        description="DICOMweb root that is queried, with the same login, where that is another "
        "one; empty means url.",
    )

    @field_validator("url", "query_url")
    @classmethod
    def _root(cls, address: str) -> str:
        """The root, also where somebody has written the place of its studies."""
        return address.removesuffix(STUDIES)

    def addresses(self) -> dict[str, str]:
        queried = {"query_url": self.query_url} if self.query_url else {}
        return {**super().addresses(), **queried}


class DicomwebDestination:
    """Sends to that service, and asks it."""

    settings = DicomwebDestinationSettings
    takes = (DICOM,)

    def __init__(self, settings: DicomwebDestinationSettings) -> None:
        self.name = settings.name
        self._settings = settings
        self._asked = settings.model_copy(update={"url": settings.query_url or settings.url})

    def is_reachable(self) -> bool:
        self._settings.secret()  # without it nothing is asked, so nobody has refused
        patience = min(self._settings.timeout_seconds, CALL_SECONDS)
        with closing(HttpClient(self._settings, FAILURES, CURES)) as peer:
            one = {"limit": "1"}
            return is_answered(
                lambda: peer.ask("GET", "studies", expected=THERE, params=one, timeout=patience)
            )

    # Sending --------------------------------------------------------------------------------------

    def send(self, results: Sequence[Result]) -> Iterator[Answer]:
        by_path = {result.path: result for result in results}
        with closing(HttpClient(self._settings, FAILURES, CURES)) as peer:
            for batch in batches(by_path, lambda file: file.stat().st_size, REQUEST_BYTES):
                yield from self._stored(peer, [by_path[path] for path in batch])

    def _stored(self, peer: HttpClient, sent: Sequence[Result]) -> Iterator[Answer]:
        """Store in one request, or in one for each object where that is too large."""
        body = MultipartFiles([result.path for result in sent])
        headers = {**body.headers, "Accept": DICOM_JSON}
        try:
            answer = peer.ask(
                "POST", "studies", expected=EVERY_STATUS, content=body, headers=headers
            )
        except DeliveryDelayed as error:
            if body.begun:
                yield from (Answer(result, Acceptance.UNKNOWN, text=str(error)) for result in sent)
            raise
        if is_web_page(answer):
            yield from (Answer(result, Acceptance.UNKNOWN, text=WEB_PAGE) for result in sent)
            raise peer.refusal(WEB_PAGE)
        if is_about_objects(answer):
            yield from map(self._looked_for, answers_in(answer, sent))
        elif answer.status != HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            yield from refused(peer, answer, sent, comment_in(answer))
        elif len(sent) > 1:
            for result in sent:
                yield from self._stored(peer, [result])
        else:
            yield Answer(sent[0], Acceptance.NEVER, text=_too_large(peer, sent[0], headers))

    def _looked_for(self, answer: Answer) -> Answer:
        """What became of an object that the archive does not name beside others (UNKNOWN).

        Reading back decides where that is the proof; else it is looked for now, if that can be.
        """
        if answer.acceptance is not Acceptance.UNKNOWN:
            return answer
        taken = replace(answer, acceptance=Acceptance.TAKEN)
        if self._settings.proof == "query":
            return taken
        try:
            missing = self.ask([answer.result]).missing
        except DeliveryError:
            return replace(taken, text=f"{answer.text}; nothing shows that it is there")
        if not missing:
            return replace(taken, text="")
        text = f"{answer.text}, {NOT_THERE}"
        return replace(answer, acceptance=Acceptance.NEVER, text=text)

    # Asking ---------------------------------------------------------------------------------------

    def ask(self, results: Sequence[Result]) -> Shown:
        from hilum.dicom.instance import Instance

        places = {result.identity: _place_of(Instance.read(result.path)) for result in results}
        with closing(HttpClient(self._asked, FAILURES, QUERY_CURES)) as peer:
            lists = [_instances_at(peer, place) for place in set(places.values())]
            shown = {uid for listed in filter(None, lists) for uid in listed}
            # A query may be cut short by the archive's limit: ask for the others one by one.
            missing = [
                result
                for result in results
                if result.identity not in shown
                and not _has(peer, f"{places[result.identity]}/{result.identity}")
            ]
            if all(listed is None for listed in lists):  # does it answer any query?
                matches(peer, "studies", params={"limit": "1"})
        return Shown(tuple(missing))

    def filing(self, study_uid: str) -> list[Filed]:
        with closing(HttpClient(self._asked, FAILURES, QUERY_CURES)) as peer:
            patients = _described(peer, "studies", study_uid, WHOSE)
            series = _described(peer, "series", study_uid, OF_SERIES)
        return [Filed(stated, series_under(stated, series, patients)) for stated in patients]

    def search(self, wanted: StudySearch) -> list[str]:
        with closing(HttpClient(self._asked, FAILURES, QUERY_CURES)) as peer:
            return list(studies_of(peer, wanted, self._settings.query_identifiers))

    # Trying ---------------------------------------------------------------------------------------

    def check(self) -> Iterator[Checked]:
        with closing(HttpClient(self._settings, FAILURES, CURES)) as peer:
            yield tried("STOW-RS", lambda: _try_to_store(peer), "answers; nothing was stored")
        if self._settings.proof == "query":
            with closing(HttpClient(self._asked, FAILURES, QUERY_CURES)) as peer:
                nobody = {"StudyInstanceUID": derived_uid("a study that nobody has"), "limit": "1"}
                yield tried("QIDO-RS", lambda: matches(peer, "studies", params=nobody), "answers")


def _too_large(peer: HttpClient, result: Result, headers: dict[str, str]) -> str:
    size = f"{int(headers['Content-Length']) / 1e6:.1f} MB"
    cure = "raise the limit there (nginx: client_max_body_size), then `hilum release`"
    return str(peer.refusal(f"HTTP 413: {size} is too large for the archive or a proxy: {cure}"))


def _try_to_store(peer: HttpClient) -> None:
    """Store no object at all; a service that stores answers that, in whichever way."""
    body = MultipartFiles([])
    headers = {**body.headers, "Accept": DICOM_JSON}
    answer = peer.ask("POST", "studies", expected=OFFERED, content=body, headers=headers)
    if is_web_page(answer):
        raise peer.refusal(WEB_PAGE)


def _place_of(image: "Instance") -> str:
    return f"studies/{image.study_uid}/series/{image.series_uid}/instances"


def _instances_at(peer: HttpClient, place: str) -> set[str] | None:
    """The SOP Instance UIDs that are shown; None for 404, as some have for an unknown series."""
    answer = answer_at(peer, place, NOTHING)
    if answer.status in NOTHING:
        return None
    return {str(value) for one in items_in(peer, answer) for value in values(one, SOP_INSTANCE_UID)}


def _has(peer: HttpClient, instance: str) -> bool:
    path = f"{instance}/metadata"
    return bool(matches(peer, path, (*NOTHING, *NOT_OFFERED)))


def _described(
    peer: HttpClient, level: str, study_uid: str, keywords: Sequence[str]
) -> list["Dataset"]:
    """The studies or series with that Study Instance UID, with what they state of `keywords`.

    Each keyword is a parameter of its own: a comma is written as %2C, which Orthanc does not read.
    An archive that refuses to include what it does not know (400) is asked without.
    """
    asked = {"StudyInstanceUID": study_uid}
    refused = HTTPStatus.BAD_REQUEST
    more = {**asked, "includefield": keywords}
    answer = answer_at(peer, level, (*NOTHING, refused), params=more)
    if answer.status == refused:
        answer = answer_at(peer, level, NOTHING, params=asked)
    return of_study(study_uid, _data_sets(peer, answer))


def _data_sets(peer: HttpClient, answer: Response) -> list["Dataset"]:
    from pydicom.dataset import Dataset

    if answer.status in NOTHING:
        return []
    try:
        return [Dataset.from_json(item) for item in items_in(peer, answer)]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        text = "its answer breaks the DICOM JSON model (PS3.18 F): have the archive corrected"
        raise peer.refusal(text) from error
