"""The schema of audit messages (PS3.15 A.5.1), as a table: attributes and children of each element.

RELAX NG, in which the standard writes it, needs a parser that nothing else here needs. Messages of
every act were once compared with the schema itself, by libxml2, and were valid there, too.
"""

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from xml.etree import ElementTree as ET

ANY = ".*"


def one_of(*values: object) -> str:
    return "|".join(map(str, values))


@dataclass(frozen=True)
class Allowed:
    """Attributes by their patterns; names with "?" may be left out. Children in their order, as a
    pattern over their names, each with a comma behind it."""

    attributes: dict[str, str] = field(default_factory=dict)
    children: str = ""
    text: str = ""


CODED = Allowed(
    {"csd-code": ".+", "codeSystemName": ".+", "displayName?": ANY, "originalText": ".+"}
)
SCHEMA = {
    "AuditMessage": Allowed(
        children="EventIdentification,(ActiveParticipant,)+AuditSourceIdentification,"
        "(ParticipantObjectIdentification,)*"
    ),
    "EventIdentification": Allowed(
        {
            "EventActionCode?": "[CRUDE]",
            "EventDateTime": ".+",
            "EventOutcomeIndicator": one_of(0, 4, 8, 12),
        },
        "EventID,(EventTypeCode,)*(EventOutcomeDescription,)?",
    ),
    "EventID": CODED,
    "EventTypeCode": CODED,
    "EventOutcomeDescription": Allowed(text=ANY),
    "ActiveParticipant": Allowed(
        {
            "UserID": ANY,
            "AlternativeUserID?": ANY,
            "UserName?": ANY,
            "UserIsRequestor": "true|false",
            "NetworkAccessPointID?": ANY,
            "NetworkAccessPointTypeCode?": "[1-5]",
        },
        "(RoleIDCode,)*(MediaIdentifier,)?",
    ),
    "RoleIDCode": CODED,
    "MediaIdentifier": Allowed(children="MediaType,"),
    "MediaType": CODED,
    "AuditSourceIdentification": Allowed(
        {"AuditEnterpriseSiteID?": ANY, "AuditSourceID": ".+"}, "(AuditSourceTypeCode,)*"
    ),
    "AuditSourceTypeCode": Allowed({"csd-code": "[1-9]"}),
    "ParticipantObjectIdentification": Allowed(
        {
            "ParticipantObjectID": ".+",
            "ParticipantObjectTypeCode?": "[1-4]",
            "ParticipantObjectTypeCodeRole?": one_of(*range(1, 27)),
            "ParticipantObjectDataLifeCycle?": one_of(*range(1, 16)),
            "ParticipantObjectSensitivity?": ANY,
        },
        "ParticipantObjectIDTypeCode,(ParticipantObjectName|ParticipantObjectQuery),"
        "(ParticipantObjectDetail,)*(ParticipantObjectDescription,)*",
    ),
    "ParticipantObjectIDTypeCode": CODED,
    "ParticipantObjectName": Allowed(text=ANY),
    "ParticipantObjectQuery": Allowed(text="[A-Za-z0-9+/]*=*"),
    "ParticipantObjectDetail": Allowed({"type": ".+", "value": "[A-Za-z0-9+/]*=*"}),
}


def faults(element: ET.Element) -> Iterator[str]:
    """What the schema does not allow in an element, and in all below it."""
    allowed = SCHEMA.get(element.tag)
    if allowed is None:
        yield f"there is no {element.tag}"
        return
    names = {name.rstrip("?") for name in allowed.attributes}
    required = {name for name in allowed.attributes if not name.endswith("?")}
    yield from (f"{element.tag} has {name}" for name in element.attrib.keys() - names)
    yield from (f"{element.tag} lacks {name}" for name in required - element.attrib.keys())
    for name, pattern in allowed.attributes.items():
        value = element.attrib.get(name.rstrip("?"))
        if value is not None and not re.fullmatch(pattern, value, re.DOTALL):
            yield f"{element.tag} {name} is {value}"
    children = "".join(f"{child.tag}," for child in element)
    if not re.fullmatch(allowed.children, children):
        yield f"{element.tag} holds {children or 'nothing'}"
    if not re.fullmatch(allowed.text, element.text or "", re.DOTALL):
        yield f"{element.tag} says {element.text}"
    for child in element:
        yield from faults(child)
    if at := element.attrib.get("EventDateTime"):
        assert datetime.fromisoformat(at).tzinfo, "UTC, or a time with its zone (A.5.2.5)"


def decoded(value: str) -> str:
    return base64.b64decode(value, validate=True).decode()
