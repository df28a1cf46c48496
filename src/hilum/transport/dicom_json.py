"""What a DICOMweb service answers in JSON or XML, as the DICOM JSON model (PS3.18 annex F)."""

import json
import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

from hilum.transport.web import Response

Item = dict[str, Any]
BOUNDARY = re.compile(r'boundary="?([^";]+)', re.IGNORECASE)
NATIVE = "{http://dicom.nema.org/PS3.19/models/NativeDICOM}"  # PS3.19 A.1
PERSON_NAME_PARTS = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")


def items_of(answer: Response) -> list[Item] | None:
    """The data sets in an answer, none where it is empty; None if it is neither JSON nor XML."""
    if not answer.content.strip():
        return []
    try:
        told = json.loads(answer.content)
    except ValueError:
        return _of_xml(answer)
    listed = told if isinstance(told, list) else [told]
    return [item for item in listed if isinstance(item, dict)]


def values(item: object, tag: str) -> list[Any]:
    """The values of one attribute in DICOM JSON (PS3.18 F.2); none where it is not as it says."""
    element = item.get(tag) if isinstance(item, dict) else None
    found = element.get("Value") if isinstance(element, dict) else None
    return found if isinstance(found, list) else []


def _of_xml(answer: Response) -> list[Item] | None:
    """The data sets of the Native DICOM Model, one in each part or one alone (PS3.18 8.7.3)."""
    try:
        roots = [ElementTree.fromstring(part) for part in _parts(answer)]
    except ElementTree.ParseError:
        return None
    are_data_sets = all(root.tag.removeprefix(NATIVE) == "NativeDicomModel" for root in roots)
    return [_item(root) for root in roots] if are_data_sets else None


def _parts(answer: Response) -> Iterator[bytes]:
    boundary = BOUNDARY.search(answer.media_type)
    if not answer.media_type.lower().startswith("multipart/") or not boundary:
        yield answer.content
        return
    for part in answer.content.split(b"--" + boundary[1].encode())[1:]:
        _, _, body = part.partition(b"\r\n\r\n")
        if body.strip():
            yield body.strip()


def _item(parent: ElementTree.Element) -> Item:
    return {
        element.get("tag", "").upper(): {"vr": element.get("vr", "UN"), "Value": _values(element)}
        for element in parent
        if element.tag.removeprefix(NATIVE) == "DicomAttribute"
    }


def _values(element: ElementTree.Element) -> list[Any]:
    found: list[Any] = []
    for child in element:
        name = child.tag.removeprefix(NATIVE)
        if name == "Value":
            found.append(child.text or "")
        elif name == "Item":
            found.append(_item(child))
        elif name == "PersonName":
            found.append(_person_name(child))
    return found


def _person_name(element: ElementTree.Element) -> dict[str, str]:
    """The component groups of a name, each written with carets (PS3.5 6.2)."""
    groups = {}
    for group in element:
        parts = {part.tag.removeprefix(NATIVE): part.text or "" for part in group}
        written = "^".join(parts.get(part, "") for part in PERSON_NAME_PARTS)
        groups[group.tag.removeprefix(NATIVE)] = written.rstrip("^")
    return groups
