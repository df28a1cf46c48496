"""A destination: a web server that keeps what is PUT there, and tells by HEAD what it has."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from http import HTTPStatus
from typing import Literal

from pydantic import Field

from hilum.answers import Acceptance, Answer, Checked, Shown
from hilum.config.ends import WebService
from hilum.config.kinds import DestinationSettings, ObjectName
from hilum.destinations import CALL_SECONDS, is_answered
from hilum.errors import DeliveryDelayed, DeliveryRefused
from hilum.results import DICOM, Result
from hilum.transport.web import Failures, HttpClient

FAILURES = Failures(DeliveryDelayed, DeliveryRefused, DeliveryRefused)


class ShelfSettings(WebService, DestinationSettings):
    """Such a server; name, url, user and time-out are settings of every web service."""

    proof: Literal["query"] = Field(
        "query", description="What shows that a result has arrived: it is asked for."
    )
    kind: Literal["shelf"] = Field("shelf", description="A web server that keeps what is PUT.")
    objects: tuple[ObjectName, ...] = Field(
        ("numbers",), description="Result objects that this destination receives."
    )


class ShelfDestination:
    """Puts each result under its identity."""

    settings = ShelfSettings
    takes = (DICOM, "application/json")

    def __init__(self, settings: ShelfSettings) -> None:
        self.name = settings.name
        self._settings = settings

    def is_reachable(self) -> bool:
        self._settings.secret()
        with closing(HttpClient(self._settings, FAILURES)) as client:
            return is_answered(lambda: client.ask("HEAD", "", timeout=CALL_SECONDS))

    def send(self, results: Sequence[Result]) -> Iterator[Answer]:
        with closing(HttpClient(self._settings, FAILURES)) as client:
            for result in results:
                headers = {"Content-Type": result.media_type}
                content = result.path.read_bytes()
                try:
                    client.ask("PUT", result.identity, content=content, headers=headers)
                except DeliveryDelayed as error:  # nobody knows whether it was taken
                    yield Answer(result, Acceptance.UNKNOWN, text=str(error))
                    raise
                yield Answer(result, Acceptance.TAKEN)

    def ask(self, results: Sequence[Result]) -> Shown:
        unknown = HTTPStatus.NOT_FOUND
        with closing(HttpClient(self._settings, FAILURES)) as client:
            return Shown(
                tuple(
                    result
                    for result in results
                    if client.ask("HEAD", result.identity, expected=(unknown,)).status == unknown
                )
            )

    def filing(self, study_uid: str) -> None:
        return None  # it knows no patients

    def check(self) -> Iterator[Checked]:
        good = self.is_reachable()
        yield Checked("HEAD", good, "answers" if good else "does not answer")
