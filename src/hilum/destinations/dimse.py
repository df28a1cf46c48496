"""Deliver by C-STORE; prove it by C-FIND at the IMAGE level."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal

from pydantic import Field
from pydicom.dataset import Dataset

from hilum.answers import WHOSE, Acceptance, Answer, Checked, Filed, Shown
from hilum.config.kinds import DestinationSettings, DicomNode
from hilum.destinations import CALL_SECONDS, is_answered, series_under
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

    def send(self, results: Sequence[Result]) -> Iterator[Answer]:
        from hilum.transport.scu import NO_ANSWER, store
        from hilum.transport.statuses import answer_of

        by_path = {result.path: result for result in results}
        for sent in store(list(by_path), self._peer):
            result = by_path[sent.path]
            if sent.status is not None:
                yield answer_of(result, sent.status, sent.reason)
            elif sent.reason == NO_ANSWER:
                yield Answer(result, Acceptance.UNKNOWN, text=NO_ANSWER)
            else:
                yield Answer(result, Acceptance.NEVER, text=f"{sent.path.name} is {sent.reason}")

    def ask(self, results: Sequence[Result]) -> Shown:
        from hilum.dicom.instance import Instance
        from hilum.transport.query import find

        instances = [Instance.read(result.path) for result in results]
        series = sorted({(instance.study_uid, instance.series_uid) for instance in instances})
        queries = [_images_of(study_uid, series_uid) for study_uid, series_uid in series]
        shown = {match.get("SOPInstanceUID") for match in find(queries, self._peer)}
        return Shown(tuple(result for result in results if result.identity not in shown))

    def filing(self, study_uid: str) -> list[Filed]:
        from hilum.transport.query import find

        patients = list(find([_query("STUDY", study_uid, *WHOSE)], self._peer))
        keys = ("SeriesInstanceUID", "PatientID")
        series = list(find([_query("SERIES", study_uid, *keys)], self._peer))
        return [Filed(stated, series_under(stated, series, patients)) for stated in patients]

    def check(self) -> Iterator[Checked]:
        good = self.is_reachable()
        yield Checked("C-ECHO", good, "answers" if good else "does not answer")


def _query(level: str, study_uid: str, *keywords: str) -> Dataset:
    query = Dataset()
    query.QueryRetrieveLevel = level
    query.StudyInstanceUID = study_uid
    for keyword in keywords:
        setattr(query, keyword, "")
    return query


def _images_of(study_uid: str, series_uid: str) -> Dataset:
    query = Dataset()
    query.QueryRetrieveLevel = "IMAGE"
    query.StudyInstanceUID = study_uid
    query.SeriesInstanceUID = series_uid
    query.SOPInstanceUID = ""
    return query
