"""What a reader said of a result, as an Observation of FHIR R4 about the DiagnosticReport.

R4 has no resource for it: a Provenance has no identifier, so a repeat would make a second one. The
report itself stays as it is, preliminary. There is one Observation for each reader and report: when
a reader says otherwise, or says something of a result that replaces this one, the same Observation
gets a new version. It states which version of the result it is about.
"""

from typing import Any

from hilum.dicom import codes
from hilum.dicom.uids import derived_uid
from hilum.objects.assessed import ReaderWord
from hilum.objects.fhir.datatypes import Json, concept, logical, uid
from hilum.objects.iod.assessment import TITLES

PRELIMINARY = "preliminary"  # as all that we write: it is no signature
SHARED = ("subject", "basedOn")  # of the report, which its assessment has as well


def assessment_of(report: dict[str, Any], identity: str, word: ReaderWord) -> Json:
    """The Observation that tells `word` of the `report` that was sent as the result `identity`."""
    own = str(report["identifier"][0]["value"]).removeprefix("urn:oid:")
    component: list[Json] = [
        {"code": concept(codes.ASSESSED_RESULT), "valueString": f"urn:oid:{identity}"},
        {"code": {"text": "Result made at"}, "valueDateTime": report["issued"]},
    ]
    if word.before:
        decision, at = word.before
        component.append(
            {
                "code": {"text": f"Said before, at {at.isoformat(timespec='seconds')}"},
                "valueCodeableConcept": concept(TITLES[decision]),
            }
        )
    observation: Json = {
        "resourceType": "Observation",
        "identifier": [uid(derived_uid("assessment", own, word.key))],
        "status": PRELIMINARY,
        "code": concept(codes.ASSESSMENT_OF_RESULT),
        **{key: report[key] for key in SHARED if key in report},
        "focus": [logical("DiagnosticReport", uid(own))],
        "effectiveDateTime": word.at.astimezone().isoformat(timespec="seconds"),
        "performer": [{"type": "Practitioner", "display": word.reader}],
        "valueCodeableConcept": concept(TITLES[word.decision]),
        "component": component,
    }
    if word.reason:
        observation["note"] = [{"text": word.reason}]
    return observation
