"""FHIR R4 over HTTP: searches by identifier, and what a server says (FHIR R4 3.1.0, 3.1.1).

A search is always a POST, so that no identifier stands in an address and in the logs of servers on
the way (FHIR R4 3.1.0.11.1).
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from hilum.errors import RESTART
from hilum.results import FHIR
from hilum.transport.web import HttpClient, Response

AT_ONCE = 20  # identifiers in one search; servers give as many resources on their first page
LONGEST_SAID = 2000  # characters of what a server says
ACCEPT = {"Accept": FHIR}
NO_FHIR = f"it does not answer as a FHIR server: correct url, {RESTART}"
NO_SEARCH = "it does not search by POST: enable POST _search there, because no patient ID may stand"
SEARCH_CURES: dict[int, str] = dict.fromkeys(
    (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED),
    f"{NO_SEARCH} in an address; or correct url, {RESTART}",
)
ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")  # FHIR R4 2.24.0.1

Resource = Mapping[str, Any]


@dataclass(frozen=True)
class Found:
    """The resources that a search has found; there are more of them if `goes_on`."""

    resources: tuple[Resource, ...]
    goes_on: bool


def search(peer: HttpClient, kind: str, **parameters: str) -> Found:
    """The resources of a kind that meet `parameters`, on the first page."""
    form = {**parameters, "_count": str(2 * AT_ONCE)}
    answer = peer.ask("POST", f"{kind}/_search", data=form, headers=ACCEPT)
    bundle = bundle_in(peer, answer)
    resources = tuple(
        entry["resource"]
        for entry in bundle.get("entry") or ()
        if isinstance(entry, dict)
        and isinstance(entry.get("resource"), dict)
        and entry["resource"].get("resourceType") == kind
    )
    links = [link for link in bundle.get("link") or () if isinstance(link, dict)]
    return Found(resources, any(link.get("relation") == "next" for link in links))


def by_identifier(
    peer: HttpClient, kind: str, system: str, values: Sequence[str], elements: str = ""
) -> dict[str, list[Resource]]:
    """The resources of a kind that have one of these identifiers of `system`, by its value.

    `elements` are those that are wanted of each, with commas; a server may give all. A server that
    finds anything else is not believed.
    """
    found: dict[str, list[Resource]] = {}
    wanted = {"_elements": elements} if elements else {}
    for start in range(0, len(values), AT_ONCE):
        some = values[start : start + AT_ONCE]
        tokens = ",".join(token(system, value) for value in some)
        for resource in search(peer, kind, identifier=tokens, **wanted).resources:
            for value in identifiers_of(resource, system):
                if value in some:
                    found.setdefault(value, []).append(resource)
    return found


def token(system: str, value: str) -> str:
    """An identifier as a search wants it, with its special characters escaped (3.1.1.4.2)."""
    return "|".join(re.sub(r"([\\$,|])", r"\\\1", part) for part in (system, value))


def identifiers_of(resource: Resource, system: str) -> list[str]:
    """The values of the identifiers of `system` that a resource has."""
    stated = resource.get("identifier")
    items = stated if isinstance(stated, list) else []
    return [
        str(item["value"])
        for item in items
        if isinstance(item, dict) and item.get("system") == system and "value" in item
    ]


def version_of(resource: Resource) -> tuple[str, str] | None:
    """The id and the version that a server gives of a resource; None where it gives none."""
    meta = resource.get("meta")
    stated = (resource.get("id"), meta.get("versionId") if isinstance(meta, dict) else None)
    own, version = (str(one) if one and ID.fullmatch(str(one)) else "" for one in stated)
    return (own, version) if own and version else None


def is_in_use(patient: Resource) -> bool:
    """Whether the server still uses a Patient, and has not merged it into another one."""
    return patient.get("active") is not False and not _heirs(patient)


def is_replaced_by(patient: Resource, other: str) -> bool:
    """Whether the server has merged a Patient into the one with the reference `other`."""
    return other in _heirs(patient)


def _heirs(patient: Resource) -> set[str]:
    """The references, such as `Patient/7`, to those that take the place of a Patient."""
    links = [link for link in patient.get("link") or () if isinstance(link, dict)]
    replacing = [link.get("other") for link in links if link.get("type") == "replaced-by"]
    stated = [str(one.get("reference")) if isinstance(one, dict) else "" for one in replacing]
    found = (re.search(r"(?:^|/)(Patient/[^/]+)(?:/_history/[^/]+)?$", one) for one in stated)
    return {one[1] if one else "" for one in found}


def bundle_in(peer: HttpClient, answer: Response) -> dict[str, Any]:
    """The Bundle in an answer; a refusal where there is none."""
    try:
        bundle = json.loads(answer.content)
    except ValueError as error:
        raise peer.refusal(NO_FHIR) from error
    if not isinstance(bundle, dict) or bundle.get("resourceType") != "Bundle":
        raise peer.refusal(NO_FHIR)
    return bundle


def failure_in(bundle: Resource) -> Response | None:
    """The first entry that failed, of a transaction that was answered with success; None if none.

    Some servers do each entry on its own, as of a batch, and say only here what became of it.
    """
    for entry in bundle.get("entry") or ():
        told = entry.get("response") if isinstance(entry, dict) else None
        stated = told if isinstance(told, dict) else {}
        if status := re.match(r"[3-5]\d\d", str(stated.get("status"))):
            outcome = json.dumps(stated.get("outcome"))
            return Response(int(status[0]), outcome.encode(), FHIR)
    return None


def said_in(answer: Response) -> str:
    """What a server says of a refusal (OperationOutcome), or the text of another answer.

    It may hold patient data.
    """
    text = answer.content.decode("utf-8", "replace")
    try:
        said = "; ".join(_issues(json.loads(text)))
    except ValueError:
        said = ""
    return (said or text).strip()[:LONGEST_SAID]


def _issues(outcome: Any) -> Iterator[str]:
    issues = outcome.get("issue") if isinstance(outcome, dict) else None
    for issue in issues if isinstance(issues, list) else ():
        if isinstance(issue, dict):
            details = issue.get("details")
            stated = details.get("text") if isinstance(details, dict) else None
            parts = (issue.get("severity"), issue.get("code"), stated, issue.get("diagnostics"))
            yield ", ".join(str(part) for part in parts if part)
