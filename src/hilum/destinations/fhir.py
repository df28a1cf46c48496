"""Deliver to a record by FHIR R4: one transaction for each result, proven by reading it back.

A patient is never made: the one who has the ID of the images is searched, and a person has to act
where there is none, or more than one. What takes a result back keeps the patient that the record
has it under.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from http import HTTPStatus
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from hilum.answers import Acceptance, Answer, Checked, Shown
from hilum.config.ends import WebService
from hilum.config.fields import OrEmpty, WebAddress
from hilum.config.kinds import DestinationSettings, ObjectName
from hilum.destinations import CALL_SECONDS, is_answered, tried
from hilum.dicom.uids import derived_uid
from hilum.errors import RESTART, DeliveryDelayed, DeliveryError, DeliveryRefused
from hilum.results import FHIR, Result
from hilum.transport import fhir
from hilum.transport.fhir import Resource
from hilum.transport.fhir_transaction import (
    DEVICE,
    REPORT,
    PutResource,
    encoded,
    existing,
    is_shown,
    parts_of,
)
from hilum.transport.statuses import refused
from hilum.transport.web import EVERY_STATUS, Failures, HttpClient, Response

WHOSE = "identifier,active,link"  # all that is read of a patient
VERSIONS = ("4.0", "4.3")  # R4 and R4B, which has our resources unchanged

FAILURES = Failures(DeliveryDelayed, DeliveryRefused, DeliveryRefused)
AGAIN = "then `hilum release`"
ITS_WORDS = f"its answer lies below `answers` in the data folder; remove the cause, {AGAIN}"
NO_TRANSACTIONS = f"it takes no transactions: enable them there, or correct url, {RESTART}"
CURES: dict[int, str] = {
    HTTPStatus.BAD_REQUEST: f"it cannot read the resources: {ITS_WORDS}",
    HTTPStatus.NOT_FOUND: NO_TRANSACTIONS,
    HTTPStatus.METHOD_NOT_ALLOWED: NO_TRANSACTIONS,
    HTTPStatus.NOT_IMPLEMENTED: NO_TRANSACTIONS,
    HTTPStatus.CONFLICT: f"the resources are in conflict with others there: {ITS_WORDS}",
    HTTPStatus.PRECONDITION_FAILED: (
        f"several resources there have the identifier of one of ours: remove the others, {AGAIN}"
    ),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: f"the result is too large: raise the limit there, {AGAIN}",
    HTTPStatus.UNPROCESSABLE_ENTITY: f"the resources break a rule of the record: {ITS_WORDS}",
}
NO_ID = (
    "the images state no patient ID, so nobody in the record can be meant: have them corrected and "
    "sent again"
)
UNKNOWN_ISSUER = (
    "the images state an issuer of the patient ID that patient_systems does not name: add it there "
    f"with its system, {AGAIN}"
)
NOBODY = (
    "no patient there has the ID of the images: have the patient registered, or correct "
    f"patient_system (patient_systems where the images state an issuer), {AGAIN}"
)
NOT_FOUND_BY_ID = (
    "asked for the patient with the ID of the images, it gives others: enable the search of "
    f"patients by identifier there, {AGAIN}"
)
SEVERAL = f"several patients there have the ID of the images: have them merged there, {AGAIN}"
MERGED = (
    "the record no longer uses the patient who has the ID of the images, or has merged it into "
    "another: have the images corrected and sent again"
)
SIGNED = (
    "somebody has gone on with the report there, whose status is no longer preliminary: it is not "
    f"written over. Correct it there, or have it made preliminary again, {AGAIN}"
)
MOVED_ON = (  # how servers answer where a version that was read is no longer the newest
    HTTPStatus.PRECONDITION_FAILED,
    HTTPStatus.CONFLICT,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.GONE,
)
MOST_CHANGES = 8  # times that a report is looked at again because it has changed meanwhile
CHANGED = "the report there was changed while we wrote, or"
NOTHING_THERE = "it has nothing of this result, so nothing is taken back there"

System = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9+.-]*:\S+$")]


class FhirDestinationSettings(WebService, DestinationSettings):
    """A record with a FHIR R4 server."""

    in_order: ClassVar[bool] = True

    kind: Literal["fhir"] = Field(
        "fhir", description="Results as FHIR R4 resources to a record, proven by reading back."
    )
    proof: Literal["query", "accepted"] = Field(
        "query",
        description="What shows that a result has arrived: it is read back (query), or nothing but "
        "that it was accepted (accepted), for servers that give nothing back.",
    )
    url: WebAddress = Field(
        description="Base address of the FHIR R4 server, such as https://record/fhir.",
        examples=["http://127.0.0.1:8080/fhir"],
    )
    objects: tuple[ObjectName, ...] = Field(
        ("fhir",), description="Result objects that this destination receives."
    )
    patient_system: System = Field(
        description="System (URI) of the patient IDs of images that state no issuer, as the "
        "record has it.",
        examples=["urn:oid:2.999.1"],
    )
    patient_systems: dict[str, System] = Field(
        default_factory=dict,
        description="The same for images that state an issuer (0010,0021): issuer = system.",
        examples=[{"HOSPITAL": "urn:oid:2.999.1"}],
    )
    accession_system: Annotated[System, OrEmpty] = Field(
        "", description="System (URI) of the accession numbers; empty means that none is written."
    )


class FhirDestination:
    """Sends to that server, and reads back."""

    settings = FhirDestinationSettings
    takes = (FHIR,)

    def __init__(self, settings: FhirDestinationSettings) -> None:
        self.name = settings.name
        self._settings = settings

    def is_reachable(self) -> bool:
        self._settings.secret()  # without it nothing is asked, so nobody has refused
        patience = min(self._settings.timeout_seconds, CALL_SECONDS)
        with closing(self._client()) as peer:
            return is_answered(lambda: _capabilities(peer, timeout=patience))

    def send(self, results: Sequence[Result]) -> Iterator[Answer]:
        with closing(self._client()) as peer:
            for place, result in enumerate(results):
                for answer in self._put(peer, result):
                    yield answer
                if answer.acceptance is Acceptance.LATER:  # none overtakes it
                    yield from (replace(answer, result=one) for one in results[place + 1 :])
                    return

    def ask(self, results: Sequence[Result]) -> Shown:
        with closing(self._client(fhir.SEARCH_CURES)) as peer:
            return Shown(tuple(one for one in results if not is_shown(peer, one)))

    def filing(self, study_uid: str) -> None:
        return None  # it was sent to the one patient who has the ID

    def check(self) -> Iterator[Checked]:
        with closing(self._client()) as peer:
            yield tried("FHIR R4", lambda: _require_r4(peer), "answers, and takes transactions")
        with closing(self._client(fhir.SEARCH_CURES)) as peer:
            nobody = fhir.token(self._settings.patient_system, derived_uid("nobody"))
            ask = {"identifier": nobody, "_elements": WHOSE}
            yield tried("patients", lambda: fhir.search(peer, "Patient", **ask), "can be searched")

    def _client(self, cures: dict[int, str] | None = None) -> HttpClient:
        return HttpClient(self._settings, FAILURES, CURES if cures is None else cures)

    # One result -----------------------------------------------------------------------------------

    def _put(self, peer: HttpClient, result: Result) -> Iterator[Answer]:
        """Put the resources of a result; where that fails, the error follows the answer.

        But where a report has changed since we looked, it is looked at again later.
        """
        with closing(self._client(fhir.SEARCH_CURES)) as searching:
            parts = self._prepared(searching, parts_of(result))
        if all(part.kind == DEVICE for part in parts):
            yield Answer(result, Acceptance.NEEDLESS, text=NOTHING_THERE)
            return
        content = encoded(parts, result)
        headers = {**fhir.ACCEPT, "Content-Type": FHIR, "Prefer": "return=minimal"}
        try:
            answer = peer.ask("POST", "", expected=EVERY_STATUS, content=content, headers=headers)
            failed: Response | None = answer
            if answer.status < HTTPStatus.MULTIPLE_CHOICES:
                failed = fhir.failure_in(fhir.bundle_in(peer, answer))  # and no login page
        except DeliveryError as error:  # nobody knows whether it was taken
            yield Answer(result, Acceptance.UNKNOWN, text=str(error))
            raise
        if failed and failed.status in MOVED_ON and any(part.is_put_over for part in parts):
            cure = CURES.get(failed.status, ITS_WORDS)
            text, said = f"HTTP {failed.status}: {CHANGED} {cure}", fhir.said_in(failed)
            yield Answer(result, Acceptance.LATER, None, text, said, MOST_CHANGES)
            return
        if failed:  # or not all of it was done
            yield from refused(peer, failed, [result], fhir.said_in(failed))
        yield Answer(result, Acceptance.TAKEN)

    def _prepared(self, peer: HttpClient, wanted: Sequence[PutResource]) -> list[PutResource]:
        """What is put: with the patient, and without what is taken back and was never there."""
        gives_back = self._settings.proof == "query"
        asked = [p for p in wanted if p.is_withdrawn or (gives_back and p.kind == REPORT)]
        there = existing(peer, asked)
        for report in (part for part in wanted if part.kind == REPORT):
            stored = there.get(report.own, [])
            if not report.is_ours(stored):
                raise peer.refusal(SIGNED)
            if len(stored) == 1:  # of several the server says that they are too many
                report.put_over(stored[0])
        kept = [part for part in wanted if not part.is_withdrawn or part.own in there]
        patient: dict[str, object] | None = None
        for part in kept:
            if part.kind == DEVICE:
                continue
            if part.is_withdrawn:
                part.keep_patient(there[part.own][0])
            else:
                patient = patient or {"reference": self._patient(peer, part.resource)}
                part.resource["subject"] = patient
            self._name_orders(part.resource)
            part.refer_only_to({one.place for one in kept})
        return kept

    def _patient(self, peer: HttpClient, resource: Resource) -> str:
        """The one patient who has the ID of the images: `Patient/` and the id there."""
        identifier = resource.get("subject", {}).get("identifier")
        if not identifier:
            raise peer.refusal(NO_ID)
        system, value = self._system(peer, identifier), str(identifier["value"])
        ask = {"identifier": fhir.token(system, value), "_elements": WHOSE}
        found = fhir.search(peer, "Patient", **ask)
        if any(value not in fhir.identifiers_of(one, system) for one in found.resources):
            raise peer.refusal(NOT_FOUND_BY_ID)
        if not found.resources:
            raise peer.refusal(NOBODY)
        in_use = [one for one in found.resources if fhir.is_in_use(one)]
        if not in_use and not found.goes_on:
            raise peer.refusal(MERGED)
        others = [one for one in found.resources if one not in in_use]
        if found.goes_on or len(in_use) > 1:
            raise peer.refusal(SEVERAL)
        [patient] = in_use
        if not fhir.ID.fullmatch(own := str(patient.get("id", ""))):
            raise peer.refusal(fhir.NO_FHIR)
        if not all(fhir.is_replaced_by(other, f"Patient/{own}") for other in others):
            raise peer.refusal(SEVERAL)
        return f"Patient/{own}"

    def _system(self, peer: HttpClient, identifier: Resource) -> str:
        """The system of a patient ID, by the issuer that the images state."""
        issuer = identifier.get("assigner", {}).get("display", "")
        stated = identifier.get("system", "")
        for known in (self._settings.patient_systems.get(issuer), stated):
            if known:
                return str(known)
        if issuer:
            raise peer.refusal(UNKNOWN_ISSUER)
        return self._settings.patient_system

    def _name_orders(self, resource: dict[str, Any]) -> None:
        if system := self._settings.accession_system:
            for order in resource.get("basedOn", ()):
                order["identifier"]["system"] = system


def _capabilities(peer: HttpClient, **request: Any) -> Resource:
    """What the server says of itself (CapabilityStatement)."""
    answer = peer.ask(
        "GET", "metadata", params={"_summary": "true"}, headers=fhir.ACCEPT, **request
    )
    said = peer.json(answer)
    if not isinstance(said, dict) or said.get("resourceType") != "CapabilityStatement":
        raise peer.refusal(fhir.NO_FHIR)
    return said


def _require_r4(peer: HttpClient) -> None:
    said = _capabilities(peer)
    if not str(said.get("fhirVersion", "")).startswith(VERSIONS):
        text = "it speaks another version of FHIR than R4 (4.0): name its address for R4 in url"
        raise peer.refusal(f"{text}, {RESTART}")
    offered = [
        interaction.get("code")
        for rest in said.get("rest") or ()
        if isinstance(rest, dict)
        for interaction in rest.get("interaction") or ()
    ]
    if offered and "transaction" not in offered:
        raise peer.refusal(NO_TRANSACTIONS)
