"""The transactions that we wrote, on their way to a FHIR server, and what it shows of them.

They come from a file of ours (`hilum.objects.fhir`), so their form is known; what a server gives is
not believed.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hilum.results import Result
from hilum.transport import fhir
from hilum.transport.fhir import Resource
from hilum.transport.web import HttpClient

UIDS = "urn:dicom:uid"
PRELIMINARY, WITHDRAWN = "preliminary", "entered-in-error"
REPORT, DEVICE = "DiagnosticReport", "Device"
OF_REPORT = "id,meta,identifier,status,subject"  # all that is read of one: no printed pages
REFERRING = ("hasMember", "result")  # the elements that refer to others of one transaction


@dataclass(frozen=True)
class PutResource:
    """One resource of a transaction, as it stands in our file: `entry` of the Bundle."""

    entry: dict[str, Any]

    @property
    def resource(self) -> dict[str, Any]:
        resource: dict[str, Any] = self.entry["resource"]
        return resource

    @property
    def kind(self) -> str:
        return str(self.resource["resourceType"])

    @property
    def place(self) -> str:
        """How others of the transaction refer to it."""
        return str(self.entry["fullUrl"])

    @property
    def own(self) -> str:
        """The value of the identifier that it is known by."""
        return str(self.resource["identifier"][0]["value"])

    @property
    def is_withdrawn(self) -> bool:
        return bool(self.resource.get("status") == WITHDRAWN)

    def is_ours(self, stored: Sequence[Resource]) -> bool:
        """Whether what a server has stored is as we left it: nobody has signed it, or the like."""
        return all(one.get("status", PRELIMINARY) in (PRELIMINARY, WITHDRAWN) for one in stored)

    def put_over(self, stored: Resource) -> None:
        """Have it take the place of just that version (FHIR R4 3.1.0.5).

        By its id, because servers pass over the version beside a condition. One that gives no
        version is updated by the condition, as what it does not have yet is.
        """
        if known := fhir.version_of(stored):
            self.resource["id"], version = known
            place = f"{self.kind}/{known[0]}"
            self.entry["request"] = {"method": "PUT", "url": place, "ifMatch": f'W/"{version}"'}

    @property
    def is_put_over(self) -> bool:
        """Whether it takes the place of one version, and of no other."""
        return "ifMatch" in self.entry["request"]

    def keep_patient(self, there: Resource) -> None:
        """Leave it with the patient that the server has it under."""
        self.resource.pop("subject", None)
        if subject := there.get("subject"):
            self.resource["subject"] = subject

    def refer_only_to(self, places: set[str]) -> None:
        """Leave out references to what is not put along."""
        for element in REFERRING:
            stated = self.resource.pop(element, ())
            if kept := [one for one in stated if one["reference"] in places]:
                self.resource[element] = kept

    def is_kept(self, stored: Resource | None) -> bool:
        """Whether what a server has stored says the same; what is taken back may be missing."""
        if stored is None:
            return self.is_withdrawn
        is_same = _value(stored) == _value(self.resource)
        return is_same and stored.get("status") == self.resource["status"]


def parts_of(result: Result) -> list[PutResource]:
    """The resources of a result, from its file."""
    return [PutResource(entry) for entry in json.loads(result.path.read_bytes())["entry"]]


def encoded(parts: Sequence[PutResource], result: Result) -> bytes:
    """The transaction that puts `parts`; the main one of them says which `result` it is.

    A result that replaces another has the identifier of that one, too.
    """
    own = {"system": UIDS, "value": _name(result), "use": "secondary"}
    for part in _main(parts):
        part.resource["identifier"].append(own)
    entries = [part.entry for part in parts]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    return json.dumps(bundle, ensure_ascii=False).encode()


def existing(peer: HttpClient, parts: Sequence[PutResource]) -> dict[str, list[Resource]]:
    """What the server has of these resources, by the value of their identifier."""
    found: dict[str, list[Resource]] = {}
    for kind in sorted({part.kind for part in parts}):
        elements = OF_REPORT if kind == REPORT else ""
        own = [part.own for part in parts if part.kind == kind]
        found |= fhir.by_identifier(peer, kind, UIDS, own, elements)
    return found


def is_shown(peer: HttpClient, result: Result) -> bool:
    """Whether the server has the report of just this result, and all values as they were sent."""
    parts = [part for part in parts_of(result) if part.kind != DEVICE]
    main = _main(parts)
    there = existing(peer, main)
    for part in main:
        stored, *_ = there.get(part.own, [{}])
        if _name(result) not in fhir.identifiers_of(stored, UIDS):
            return False
    there |= existing(peer, [part for part in parts if part not in main])
    return all(part.is_kept(next(iter(there.get(part.own, ())), None)) for part in parts)


def _main(parts: Sequence[PutResource]) -> list[PutResource]:
    """What a transaction is about: its report, or the one Observation that assesses a report."""
    reports = [part for part in parts if part.kind == REPORT]
    return reports or [part for part in parts if part.kind != DEVICE]


def _name(result: Result) -> str:
    return f"urn:oid:{result.identity}"


def _value(resource: Resource) -> tuple[float, str] | str | None:
    """What an Observation says: a number with its unit, or a code."""
    quantity, concept = resource.get("valueQuantity"), resource.get("valueCodeableConcept")
    try:
        if quantity:
            return float(quantity["value"]), str(quantity["code"])
        return str(concept["coding"][0]["code"]) if concept else None
    except (KeyError, IndexError, TypeError, ValueError):
        return ""
