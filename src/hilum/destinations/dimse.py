"""Deliver by C-STORE; prove it by C-FIND at the IMAGE level."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from pydantic import Field
from pydicom.dataset import Dataset

from hilum.config.kinds import DestinationSettings, DicomNode
from hilum.destinations import CALL_SECONDS, is_answered
from hilum.errors import DeliveryRefused
from hilum.results import DICOM, Result


class DimseDestinationSettings(DicomNode, DestinationSettings):
    """A DICOM node that stores and can be queried, such as a PACS."""

    kind: Literal["dimse"] = Field("dimse", description="C-STORE to a PACS, proven by C-FIND.")


class DimseDestination:
    """Sends to that node, and asks it."""

    settings = DimseDestinationSettings
    takes = (DICOM,)

    def __init__(self, settings: DimseDestinationSettings) -> None:
        from hilum.transport.scu import Peer

        self.name = settings.name
        self._peer = Peer.of(settings)

    def is_reachable(self) -> bool:
        from hilum.transport.scu import echo

        patience = min(self._peer.timeout, CALL_SECONDS)
        return is_answered(lambda: echo(replace(self._peer, timeout=patience)))

    def send(self, results: Sequence[Result]) -> None:
        from hilum.transport.scu import store
        from hilum.transport.statuses import raise_for

        answers = list(store([result.path for result in results], self._peer))
        for answer in answers:
            if answer.status is None:
                raise DeliveryRefused(f"{self.name}: {answer.path.name} is {answer.reason}")
        raise_for([answer.status or 0 for answer in answers], self.name)

    def missing(self, results: Sequence[Result]) -> list[Result]:
        from hilum.dicom.instance import Instance
        from hilum.transport.query import find

        instances = [Instance.read(result.path) for result in results]
        series = sorted({(instance.study_uid, instance.series_uid) for instance in instances})
        queries = [_images_of(study_uid, series_uid) for study_uid, series_uid in series]
        shown = {match.get("SOPInstanceUID") for match in find(queries, self._peer)}
        return [result for result in results if result.identity not in shown]


def _images_of(study_uid: str, series_uid: str) -> Dataset:
    query = Dataset()
    query.QueryRetrieveLevel = "IMAGE"
    query.StudyInstanceUID = study_uid
    query.SeriesInstanceUID = series_uid
    query.SOPInstanceUID = ""
    return query
