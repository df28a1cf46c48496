"""A worklist that is asked by HTTP: UPS-RS (PS3.18 chapter 11)."""

import json
from collections.abc import Iterator
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from pydantic import Field

from hilum.config.ends import WebService
from hilum.config.fields import WebAddress
from hilum.config.kinds import WorklistSettings
from hilum.errors import RESTART, SourceDelayed, SourceError, SourceRefused
from hilum.transport.dicom_json import items_of
from hilum.transport.web import Failures, Response
from hilum.transport.web_socket import ChannelClient
from hilum.worklists import OfferedStep, ProcedureStepState, StepAnswer, StepStanding
from hilum.worklists.telling import StepTelling

if TYPE_CHECKING:  # whoever only reads hilum.toml needs none
    from pydicom.dataset import Dataset

PAGE = 100
MOST_PAGES = 100  # of one look; a list that goes on and on is refused
DICOM_JSON = "application/dicom+json"
GONE = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
CONFLICTS = (HTTPStatus.BAD_REQUEST, HTTPStatus.CONFLICT)
NO_EVENTS = (  # it offers none, or none of this step
    *(HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN, *GONE),
    *(HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.CONFLICT, HTTPStatus.NOT_IMPLEMENTED),
)
CHANNEL_SECONDS = 30.0
ENDLESS = f"its list of steps has no end: it ignores offset; correct url, {RESTART}"


class UpsRsSettings(WorklistSettings, WebService):
    """A worklist that is asked by HTTP."""

    kind: Literal["ups-rs"] = Field(
        "ups-rs", description="Unified Procedure Steps over DICOMweb: UPS-RS."
    )
    url: WebAddress = Field(
        description="DICOMweb root, such as http://ris:8080/dicom-web.",
        examples=["http://127.0.0.1:8080/dicom-web"],
    )


class UpsRsWorklist(StepTelling):
    """A UPS-RS origin server."""

    settings = UpsRsSettings

    def __init__(self, settings: UpsRsSettings) -> None:
        self.name = settings.name
        self._settings = settings
        failures = Failures(SourceDelayed, SourceRefused, SourceError)
        self._client = ChannelClient(settings, failures)
        self._channel = ""  # where events are told, once anything is subscribed to

    def describe(self) -> str:
        self._page(0, 1)
        return "answers UPS-RS"

    def offered(self) -> list[OfferedStep]:
        from hilum.worklists.attributes import data_set_of, offered_in

        found: dict[str, OfferedStep] = {}
        for number in range(MOST_PAGES):
            items = self._page(number * PAGE, PAGE)
            read = (offered_in(data_set_of(item)) for item in items)
            steps = {step.uid: step for step in read if step}
            if not items or (steps and steps.keys() <= found.keys()):
                return list(found.values())
            found |= steps
            if len(items) < PAGE:
                return list(found.values())
        raise self._client.refusal(ENDLESS)

    def standing(self, uid: str) -> StepStanding | None:
        from hilum.worklists.attributes import data_set_of, standing_in

        answer = self._client.ask(
            "GET", f"workitems/{uid}", expected=GONE, headers={"Accept": DICOM_JSON}
        )
        items = [] if answer.status in GONE else self._items(answer)
        if not items:
            return None
        standing = standing_in(data_set_of(items[0]), uid)
        if standing is None:
            raise self._client.refusal(f"gives no state of the step {uid}: its log names the cause")
        return standing

    def subscribe(self, uid: str) -> None:
        """Create Subscription (PS3.18 11.10); the answer says where the channel is."""
        subscriber = f"subscribers/{quote(self._settings.station, safe='')}"
        path = f"workitems/{uid}/{subscriber}"
        answer = self._client.ask(
            "POST", path, expected=NO_EVENTS, params={"deletionlock": "false"}
        )
        if answer.status not in NO_EVENTS:
            named = answer.headers.get("Content-Location", "")
            self._channel = named or f"{self._settings.url}/{subscriber}"

    def cancel_requests(self) -> Iterator[str]:
        """Those of the channel of events (PS3.18 8.10.4)."""
        if self._channel:
            for message in self._client.told(self._channel, CHANNEL_SECONDS):
                yield _wanted_canceled(message) if message else ""

    def close(self) -> None:
        self._client.close()

    def _page(self, offset: int, limit: int) -> list[dict[str, Any]]:
        from hilum.worklists.attributes import ASKED_FOR

        query = {
            "ProcedureStepState": ProcedureStepState.SCHEDULED.value,
            "includefield": list(ASKED_FOR),
            "limit": limit,
            "offset": offset,
        }
        headers = {"Accept": DICOM_JSON}
        return self._items(self._client.ask("GET", "workitems", params=query, headers=headers))

    def _items(self, answer: Response) -> list[dict[str, Any]]:
        items = items_of(answer)
        if items is None:
            raise self._client.refusal(f"does not answer in JSON: correct url, {RESTART}")
        return items

    def _change_state(self, uid: str, change: "Dataset") -> StepAnswer:
        """Change Workitem State (PS3.18 11.7)."""
        return self._told("PUT", f"workitems/{uid}/state", change)

    def _update(self, uid: str, changes: "Dataset") -> StepAnswer:
        """Update Workitem (PS3.18 11.6): the Transaction UID stands in the address, too."""
        query = {"transaction": str(changes.TransactionUID)}
        return self._told("POST", f"workitems/{uid}", changes, query)

    def _told(
        self, method: str, path: str, changes: "Dataset", query: dict[str, str] | None = None
    ) -> StepAnswer:
        answer = self._client.ask(
            method,
            path,
            expected=(*GONE, *CONFLICTS),
            params=query,
            content=json.dumps([changes.to_json_dict()]),
            headers={"Accept": DICOM_JSON, "Content-Type": DICOM_JSON},
        )
        if answer.status in GONE:
            return StepAnswer.GONE
        return StepAnswer.CONFLICT if answer.status in CONFLICTS else StepAnswer.DONE


def _wanted_canceled(message: str) -> str:
    """The UID of the step of which an event says so; "" where it says anything else."""
    from hilum.worklists.attributes import data_set_of, wanted_canceled_in

    try:
        event = json.loads(message)
    except ValueError:
        return ""
    return wanted_canceled_in(data_set_of(event))
