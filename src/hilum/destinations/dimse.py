"""Deliver by C-STORE; prove it by C-FIND at the IMAGE level."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pydicom.dataset import Dataset

from hilum.config.site import Destination
from hilum.destinations import CALL_SECONDS
from hilum.dicom.instance import Instance
from hilum.errors import DeliveryDelayed, DeliveryRefused
from hilum.transport.query import find
from hilum.transport.scu import Peer, echo, store
from hilum.transport.statuses import raise_for


class DimseDestination:
    """A DICOM node that stores and can be queried, such as a PACS."""

    def __init__(self, settings: Destination) -> None:
        self.name = settings.name
        self._peer = Peer.of(settings)

    def answers(self) -> bool:
        patience = min(self._peer.timeout, CALL_SECONDS)
        try:
            echo(replace(self._peer, timeout=patience))
        except DeliveryRefused:
            return True  # it does not want us, but it is there
        except DeliveryDelayed:
            return False
        return True

    def send(self, files: Sequence[Path]) -> None:
        answers = list(store(files, self._peer))
        for answer in answers:
            if answer.status is None:
                raise DeliveryRefused(f"{self.name}: {answer.path.name} is {answer.reason}")
        raise_for([answer.status or 0 for answer in answers], self.name)

    def missing(self, files: Sequence[Path]) -> list[Path]:
        instances = [Instance.read(path) for path in files]
        series = sorted({(instance.study_uid, instance.series_uid) for instance in instances})
        queries = [_images_of(study_uid, series_uid) for study_uid, series_uid in series]
        shown = {match.get("SOPInstanceUID") for match in find(queries, self._peer)}
        return [i.path for i in instances if i.sop_instance_uid not in shown]


def _images_of(study_uid: str, series_uid: str) -> Dataset:
    query = Dataset()
    query.QueryRetrieveLevel = "IMAGE"
    query.StudyInstanceUID = study_uid
    query.SeriesInstanceUID = series_uid
    query.SOPInstanceUID = ""
    return query
