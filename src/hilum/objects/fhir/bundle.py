"""A result as a transaction of FHIR R4: DiagnosticReport, Observations and the Device.

Each resource is put by its identifier, so a server that has it updates it. The identifier of the
report is that of the result that it replaces, and those of the Observations follow from it. What
only the server knows, its own id of the patient, is put in by the destination.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydicom.sr.coding import Code

from hilum.dicom import codes
from hilum.dicom.dates import day_of
from hilum.dicom.header import text_of
from hilum.dicom.identity import Patient
from hilum.dicom.uids import MANUFACTURER, derived_uid
from hilum.objects.analysis import Analysis, WrittenFile
from hilum.objects.assessed import ReaderWord
from hilum.objects.fhir.assessment import assessment_of
from hilum.objects.fhir.datatypes import (
    UIDS,
    Json,
    coding,
    concept,
    logical,
    numbered,
    place,
    uid,
)
from hilum.objects.fhir.observations import Context, observations
from hilum.objects.iod import common, pdf, sr
from hilum.objects.kinds import Writing
from hilum.objects.report import Report
from hilum.objects.stated import StatedReport
from hilum.results import FHIR

REPORT = "DiagnosticReport"
PRELIMINARY, WITHDRAWN = "preliminary", "entered-in-error"  # never final: nobody has signed it
RADIOLOGY = Code("LP29684-5", "LN", "Radiology")  # as US Core has it; DICOM has no such category
SECTIONS = "http://terminology.hl7.org/CodeSystem/v2-0074"
BY_AI = {  # who asserts it (HL7 v3 ObservationValue)
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "AIAST",
    "display": "Artificial Intelligence asserted",
}
NOT_IN_STRINGS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")  # FHIR R4 2.24.0.1


class FhirResult:
    """The kind "fhir"."""

    media_type = FHIR
    refers_to: tuple[str, ...] = ()

    def write(self, writing: Writing) -> list[bytes]:
        return [_Transaction(writing.report).encoded()]

    def write_withdrawal(self, writing: Writing, identities: Sequence[str], reason: str) -> bytes:
        of_readers = {
            file.identity
            for file in writing.analysis.replaced
            if not any(one["resourceType"] == REPORT for one in _resources_in([file]))
        }
        results = tuple(identity for identity in identities if identity not in of_readers)
        return _Transaction(writing.report, results, reason).encoded()

    def write_assessment(
        self, writing: Writing, identities: Sequence[str], word: ReaderWord
    ) -> bytes:
        [identity] = identities
        files = [file for file in writing.analysis.replaced if file.identity == identity]
        [report] = [one for one in _resources_in(files) if one["resourceType"] == REPORT]
        return _transaction([assessment_of(report, identity, word)])


@dataclass(frozen=True)
class _Transaction:
    """All resources of one result; one that takes back the results `identities` has a `reason`."""

    report: Report
    identities: tuple[str, ...] = ()
    reason: str = ""

    @property
    def analysis(self) -> Analysis:
        return self.report.analysis

    @property
    def status(self) -> str:
        return WITHDRAWN if self.identities else PRELIMINARY

    def encoded(self) -> bytes:
        """The Bundle as JSON."""
        resources = list(self._resources())
        return _transaction([*resources, *self._left_over(resources)])

    def _resources(self) -> Iterator[Json]:
        stated = StatedReport.of(self.report)
        report_uid = self._report_uid()
        made = observations(stated, Context(report_uid, self._common(), self._method()))
        yield self._device()
        yield from made.resources
        said = [self.reason] if self.identities else stated.comments
        yield self._diagnostic_report(report_uid, made.top, said)

    def _report_uid(self) -> str:
        """The UID of the report that is replaced, if there is one, or a new one."""
        for resource in _resources_in(self.analysis.replaced):
            if resource["resourceType"] == REPORT:
                return _uid_of(resource)
        return derived_uid("fhir report", self.analysis.workitem_id, self.analysis.study.uid)

    def _left_over(self, resources: Sequence[Json]) -> Iterator[Json]:
        """Observations of the replaced result that this one does not have, taken back.

        Of a result that is taken back, also what readers said of it.
        With the device that they name. A server may never have had them: who sends them looks.
        """
        there = {_uid_of(resource) for resource in resources}
        left = {_uid_of(one): one for one in _resources_in(self.analysis.replaced)}
        for own, resource in left.items():
            if own in there or resource["resourceType"] == REPORT:
                continue
            is_device = resource["resourceType"] == "Device"
            yield resource if is_device else {**resource, "status": WITHDRAWN}

    def _common(self) -> Json:
        """What the report and all Observations have in common."""
        stated = self.analysis.patient_and_study
        shared: Json = {
            "meta": {"security": [BY_AI]},
            "status": self.status,
            **self._subject(),
            "issued": self.analysis.created.astimezone().isoformat(timespec="milliseconds"),
            "device": {"reference": place(self.analysis.module.device_uid)},
            "derivedFrom": [self._study()],
        }
        if accession := text_of(stated, "AccessionNumber").strip():
            shared["basedOn"] = [logical("ServiceRequest", numbered("ACSN", accession))]
        if day := day_of(text_of(stated, "StudyDate")):
            shared["effectiveDateTime"] = day.isoformat()
        return shared

    def _subject(self) -> Json:
        """Whose it is, by the identifier that the images state, if they state one."""
        patient = Patient.of(self.analysis.patient_and_study)
        if not patient.id.strip():
            return {}
        name, universal, kind = patient.issuer
        identifier = numbered("MR", patient.id, name.strip())
        if universal and kind in ("ISO", "URI"):
            identifier["system"] = f"urn:oid:{universal}" if kind == "ISO" else universal
        return {"subject": logical("Patient", identifier)}

    def _study(self) -> Json:
        """The study, by its UID: whether the server has an ImagingStudy for it is its affair."""
        identifier = uid(self.analysis.study.uid)
        identifier["type"] = {"coding": [coding(codes.STUDY_INSTANCE_UID)]}
        return logical("ImagingStudy", identifier)

    def _method(self) -> str:
        module = self.analysis.module
        said = "; ".join(self.analysis.settings)
        return f"{module.name} {module.version}{f' ({said})' if said else ''}"

    def _device(self) -> Json:
        """The algorithm with these weights (TID 1004)."""
        module = self.analysis.module
        return {
            "resourceType": "Device",
            "identifier": [uid(module.device_uid)],
            "status": "active",
            "manufacturer": MANUFACTURER,
            "serialNumber": module.weights_sha256,
            "deviceName": [
                {"name": module.title, "type": "user-friendly-name"},
                {"name": module.name, "type": "model-name"},
            ],
            "type": concept(codes.ARTIFICIAL_INTELLIGENCE),
            "version": [
                {"type": {"text": "software version"}, "value": module.version},
                {"type": {"text": "SHA-256 of the weights"}, "value": module.weights_sha256},
            ],
        }

    def _diagnostic_report(self, own: str, results: Sequence[str], said: Sequence[str]) -> Json:
        shared = self._common()
        shared.pop("device")
        shared["imagingStudy"] = shared.pop("derivedFrom")
        procedure = sr.procedure(self.analysis)
        report: Json = {
            "resourceType": REPORT,
            "identifier": [
                uid(own),
                *({**uid(identity), "use": "old"} for identity in self.identities),
            ],
            **shared,
            "category": [
                concept(RADIOLOGY),
                {"coding": [{"system": SECTIONS, "code": "RAD", "display": "Radiology"}]},
            ],
            "code": concept(procedure, common.description(self.analysis.module.title, "fhir")),
        }
        if said:
            report["conclusion"] = "\n".join(said)
        if results:
            report["result"] = [{"reference": place(result)} for result in results]
        if not self.identities:
            report["presentedForm"] = [self._printed()]
        return report

    def _printed(self) -> Json:
        document = pdf.write(self.report)
        content = bytes(document.EncapsulatedDocument)[: document.EncapsulatedDocumentLength]
        digest = hashlib.sha1(content, usedforsecurity=False).digest()  # as FHIR wants it
        return {
            "contentType": "application/pdf",
            "language": codes.ENGLISH.value,
            "data": base64.b64encode(content).decode(),
            "size": len(content),
            "hash": base64.b64encode(digest).decode(),
            "title": str(document.DocumentTitle),
        }


def _transaction(resources: Sequence[Json]) -> bytes:
    """A Bundle that puts `resources`, as JSON."""
    entries = [_entry(resource) for resource in resources]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    return json.dumps(_cleaned(bundle), ensure_ascii=False).encode()


def _entry(resource: Json) -> Json:
    own = _uid_of(resource)
    kind = resource["resourceType"]
    return {
        "fullUrl": place(own),
        "resource": resource,
        "request": {"method": "PUT", "url": f"{kind}?identifier={UIDS}|urn:oid:{own}"},
    }


def _resources_in(files: Iterable[WrittenFile]) -> Iterator[dict[str, Any]]:
    """The resources of those `files` that are of this kind; each of them is one that we wrote."""
    for file in files:
        if file.kind == "fhir":
            yield from (entry["resource"] for entry in json.loads(file.content)["entry"])


def _uid_of(resource: Any) -> str:
    """The UID that a resource of ours is known by: that of its first identifier."""
    return str(resource["identifier"][0]["value"]).removeprefix("urn:oid:")


def _cleaned(value: Any) -> Any:
    """`value` without what no string of FHIR may hold; nothing in a text is one that is empty."""
    if isinstance(value, str):
        return NOT_IN_STRINGS.sub(" ", value)
    if isinstance(value, dict):
        return {key: _cleaned(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_cleaned(part) for part in value]
    return value
