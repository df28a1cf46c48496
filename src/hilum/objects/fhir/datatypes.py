"""The data types of FHIR R4 that our resources are made of, from codes and UIDs of DICOM."""

import uuid

from pydicom.sr.coding import Code

from hilum.dicom.uids import derived_uid
from hilum.objects.stated import StatedSite, as_decimal

Json = dict[str, object]

UIDS = "urn:dicom:uid"  # the system of identifiers that are UIDs (FHIR R4 ImagingStudy, 1.3.2.9)
UCUM = "http://unitsofmeasure.org"
KINDS_OF_IDENTIFIERS = "http://terminology.hl7.org/CodeSystem/v2-0203"
KINDS_OF_UIDS = "http://hl7.org/fhir/uv/dicom-sr/CodeSystem/dicom-identifier-type"
SYSTEMS = {  # by the Coding Scheme Designator of DICOM (PS3.16 Tables 8-1 and 8-2)
    "DCM": "http://dicom.nema.org/resources/ontology/DCM",
    "SCT": "http://snomed.info/sct",
    "LN": "http://loinc.org",
    "UCUM": UCUM,
    "UMLS": "http://terminology.hl7.org/CodeSystem/umls",
    "NCIt": "http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl",
    "RADLEX": "http://www.radlex.org",
}
LATERALITY = "272741003"  # the attributes of SNOMED CT that narrow a site


def system_of(scheme: str) -> str:
    """The URI of a coding scheme; of one that is in no list, a UID that follows from its name."""
    return SYSTEMS.get(scheme) or f"urn:oid:{derived_uid('coding scheme', scheme)}"


def coding(code: Code) -> Json:
    """A Coding; a code of FHIR has no blanks around it (FHIR R4 2.24.0.1)."""
    value = " ".join(code.value.split())
    system = system_of(code.scheme_designator)
    return {"system": system, "code": value, "display": code.meaning}


def concept(code: Code, text: str = "") -> Json:
    """A CodeableConcept; `text` is what a reader sees, where that is not the meaning."""
    return {"coding": [coding(code)], "text": text or code.meaning}


def site(stated: StatedSite) -> Json:
    """A place in the body as a CodeableConcept, because R4 has no other room for a side.

    The side stands in an expression of SNOMED CT beside the plain code, and in the text.
    """
    structure, side, modifier = stated.structure, stated.side, stated.modifier
    made = concept(structure)
    said = [code.meaning for code in (side, modifier) if code]
    made["text"] = ", ".join((structure.meaning, *(word.lower() for word in said)))
    if side and {structure.scheme_designator, side.scheme_designator} == {"SCT"}:
        narrowed = f"{structure.value}:{LATERALITY}={side.value}"
        display = f"{structure.meaning}, {side.meaning.lower()}"
        whole = {"system": SYSTEMS["SCT"], "code": narrowed, "display": display}
        made["coding"] = [coding(structure), whole]
    return made


def quantity(value: float, unit: Code) -> Json:
    """A Quantity, in UCUM, with the digits of the report; a number without a unit shows none."""
    shown = {} if unit.value == "1" else {"unit": unit.value}
    return {"value": float(as_decimal(value)), **shown, "system": UCUM, "code": unit.value}


def uid(value: str, kind: str = "") -> Json:
    """An Identifier that is a UID; `kind` is a code of the guide "DICOM SR to FHIR"."""
    typed = {"type": {"coding": [{"system": KINDS_OF_UIDS, "code": kind}]}} if kind else {}
    return {**typed, "system": UIDS, "value": f"urn:oid:{value}"}


def numbered(kind: str, value: str, issuer: str = "") -> Json:
    """An Identifier that people give, such as "MR" or "ACSN" (HL7 table 0203), without a system."""
    typed = {"coding": [{"system": KINDS_OF_IDENTIFIERS, "code": kind}]}
    return {
        "type": typed,
        "value": value,
        **({"assigner": {"display": issuer}} if issuer else {}),
    }


def logical(kind: str, identifier: Json) -> Json:
    """A Reference to a resource that is not ours, by its identifier."""
    return {"type": kind, "identifier": identifier}


def place(of: str) -> str:
    """The fullUrl, in a bundle, of the resource whose identifier is the UID `of`."""
    return uuid.uuid5(uuid.NAMESPACE_OID, of).urn
