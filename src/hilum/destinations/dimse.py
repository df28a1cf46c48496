"""Deliver by C-STORE; prove it by C-FIND, or by storage commitment."""

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from hilum.answers import WHOSE, Acceptance, Answer, Checked, Commitment, Evidence, Filed, Shown
from hilum.config.ends import DicomNode
from hilum.config.fields import AETitle, OrEmpty, Port
from hilum.config.kinds import DestinationSettings
from hilum.destinations import CALL_SECONDS, OF_SERIES, is_answered, of_study, series_under, tried
from hilum.destinations.dimse_retrieving import ByGet, ByMove, query_of
from hilum.dicom.uids import LABEL_MAP, RLE_LOSSLESS, derived_uid
from hilum.errors import RESTART, DeliveryDelayed, DeliveryRefused
from hilum.results import DICOM, SOP_CLASSES, Result
from hilum.retrieving import ListingArchive, SendingArchive
from hilum.searching import StudySearch
from hilum.wording import clauses

if TYPE_CHECKING:  # whoever only reads hilum.toml needs none
    from pydicom.dataset import Dataset

    from hilum.dicom.instance import Instance

MOST_SINGLE_QUERIES = 500  # for objects that a list of the archive lacks


class DimseDestinationSettings(DicomNode, DestinationSettings):
    """A DICOM node that stores and can be queried, such as a PACS."""

    kind: Literal["dimse"] = Field("dimse", description="C-STORE to a PACS, proven by C-FIND.")
    query_host: str = Field(
        "", description="Address that is queried, where that is another one; empty means host."
    )
    query_port: Port = Field(0, description="Port that is queried; 0 means port.")
    query_ae_title: Annotated[AETitle, OrEmpty] = Field(
        "", description="AE title that is queried; empty means ae_title."
    )
    retrieve: Literal["c-move", "c-get"] = Field(
        "c-move",
        description="How a study is fetched from it when a person asks: it sends to our receiver, "
        "whose AE title, address and port it has to know (c-move), or on our connection (c-get).",
    )


class DimseDestination:
    """Sends to that node, and asks it."""

    settings = DimseDestinationSettings
    takes = (DICOM,)

    def __init__(self, settings: DimseDestinationSettings) -> None:
        from hilum.transport.scu import Peer

        self.name = settings.name
        self._settings = settings
        self._peer = Peer.of(settings)
        self._asked = replace(
            self._peer,
            ae_title=settings.query_ae_title or settings.ae_title,
            host=settings.query_host or settings.host,
            port=settings.query_port or settings.port,
        )

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

    # Asking ---------------------------------------------------------------------------------------

    def ask(self, results: Sequence[Result]) -> Shown:
        from hilum.dicom.instance import Instance
        from hilum.transport.query import QueryBusy, QueryRefused

        instances = [Instance.read(result.path) for result in results]
        try:
            shown = self._listed(instances)
        except QueryRefused:
            return self._counted(results, instances)
        except QueryBusy:  # there may be too much in the series for one answer
            shown = self._listed(instances[:MOST_SINGLE_QUERIES], one_by_one=True)
        if results and not shown:
            return self._unlisted(results, instances)
        shown |= self._cut_off([i for i in instances if i.sop_instance_uid not in shown])
        return Shown(tuple(result for result in results if result.identity not in shown))

    def _cut_off(self, unseen: Sequence["Instance"]) -> set[str]:
        """Those that are shown after all: a limit of the archive may have cut its list short."""
        return self._listed(unseen[:MOST_SINGLE_QUERIES], one_by_one=True) if unseen else set()

    def _unlisted(self, results: Sequence[Result], instances: "Sequence[Instance]") -> Shown:
        """What is known of results of which no list shows any: they may be counted all the same."""
        from hilum.transport.query import QueryRefused

        with suppress(QueryRefused):  # then it has answered all the same
            counted = self._counted(results, instances)
            if counted.evidence is Evidence.COUNTED and not counted.missing:
                return counted
        return Shown(tuple(results))

    def filing(self, study_uid: str) -> list[Filed]:
        asked = query_of("STUDY", study_uid, *WHOSE)
        patients = of_study(study_uid, self._find(asked))
        asked = query_of("SERIES", study_uid, "SeriesInstanceUID", *OF_SERIES)
        series = of_study(study_uid, self._find(asked))
        return [Filed(stated, series_under(stated, series, patients)) for stated in patients]

    def search(self, wanted: StudySearch) -> list[str]:
        from hilum.dicom.header import text_of

        found = []
        for keyword, value in wanted.keys:
            query = query_of("STUDY", "", "StudyInstanceUID", keyword)
            setattr(query, keyword, value)
            patient_id = value if keyword == "PatientID" else ""
            for match in self._find(query, patient_id=patient_id):
                if text_of(match, keyword) == value:  # others do not understand the key
                    found.append(text_of(match, "StudyInstanceUID"))
        return found

    def retrieving(self) -> AbstractContextManager[ListingArchive | SendingArchive]:
        if self._settings.retrieve == "c-get":
            return ByGet(self._asked, self._find)
        return nullcontext(ByMove(self._asked))

    def _listed(self, instances: Sequence["Instance"], one_by_one: bool = False) -> set[str]:
        """The SOP Instance UIDs that are shown in the series of `instances`, or of these alone."""
        queries = {}
        for instance in instances:
            query = query_of("IMAGE", instance.study_uid, "SOPInstanceUID")
            query.SeriesInstanceUID = instance.series_uid
            if one_by_one:
                query.SOPInstanceUID = instance.sop_instance_uid
            key = instance.sop_instance_uid if one_by_one else instance.series_uid
            queries[key] = query
        patient_id = instances[0].patient.id if instances else ""
        # A list that the archive cuts short shows what is on it.
        found = self._find(*queries.values(), patient_id=patient_id, part_will_do=True)
        return {str(match.get("SOPInstanceUID")) for match in found}

    def _counted(self, results: Sequence[Result], instances: Sequence["Instance"]) -> Shown:
        """What the numbers of objects in its series say (PS3.4 C.3.4)."""
        wanted: dict[str, list[Result]] = {}
        for result, instance in zip(results, instances, strict=True):
            wanted.setdefault(instance.series_uid, []).append(result)
        study_uid = instances[0].study_uid
        keyword = "NumberOfSeriesRelatedInstances"
        query = query_of("SERIES", study_uid, "SeriesInstanceUID", keyword)
        found = self._find(query, patient_id=instances[0].patient.id)
        counts = {str(match.get("SeriesInstanceUID")): match.get(keyword) for match in found}
        if not any(counts.get(uid) is not None for uid in wanted):
            return Shown(tuple(results), Evidence.NONE)
        missing = [
            result
            for uid, of_series in wanted.items()
            if counts.get(uid) != len(of_series)
            for result in of_series
        ]
        return Shown(tuple(missing), Evidence.COUNTED)

    def _find(
        self, *queries: "Dataset", patient_id: str = "", part_will_do: bool = False
    ) -> list["Dataset"]:
        """Every match; `DeliveryRefused`, with the cure, if it does not let us ask.

        If a part will do, an error after the first match ends the list.
        """
        from hilum.transport.query import QueryBusy, QueryRefused, find
        from hilum.transport.scu import echo

        for is_first in (True, False):
            began = time.monotonic()
            found: list[Dataset] = []
            try:
                found.extend(find(queries, self._asked, patient_id=patient_id))
                return found
            except (QueryRefused, QueryBusy):
                if found and part_will_do:
                    return found
                raise
            except DeliveryRefused as error:
                raise DeliveryRefused(clauses(str(error), self._how_to_be_asked)) from error
            except DeliveryDelayed:
                is_slow = time.monotonic() - began >= self._asked.timeout
                if is_slow or not (is_first or is_answered(lambda: echo(self._asked))):
                    raise
        raise DeliveryRefused(f"{self._asked} breaks off every query: {self._how_to_be_asked}")

    @property
    def _how_to_be_asked(self) -> str:
        register = f"register AE title {self._asked.calling} there as one that may query"
        other = "name the node that answers queries (query_host, query_port, query_ae_title)"
        return f"{register} (Orthanc: DicomModalities), or {other}, or set proof, {RESTART}"

    # Commitment and trials ------------------------------------------------------------------------

    def request_commitment(
        self, results: Sequence[Result], transaction_uid: str
    ) -> Commitment | None:
        from hilum.dicom.instance import Instance
        from hilum.transport.commitment import request

        instances = [Instance.read(result.path) for result in results]
        objects = [(instance.sop_class_uid, instance.sop_instance_uid) for instance in instances]
        return request(objects, transaction_uid, self._asked)

    def check(self) -> Iterator[Checked]:
        from hilum.transport.commitment import COMMITMENT
        from hilum.transport.query import GET
        from hilum.transport.scu import echo, require_classes

        yield tried("C-ECHO", lambda: echo(self._peer), "answers")
        kinds = (*self._settings.objects, "ko")
        classes = [SOP_CLASSES[kind] for kind in kinds if kind in SOP_CLASSES]
        yield tried(
            "C-STORE", lambda: require_classes(classes, self._peer), "accepts every kind of result"
        )
        if self._settings.segmentation == "labelmap":
            label_maps = partial(require_classes, [LABEL_MAP], self._peer, [RLE_LOSSLESS])
            yield tried("label maps", label_maps, "accepts Label Map Segmentations, RLE Lossless")
        if self._settings.proof == "query":
            nothing = query_of("STUDY", derived_uid("a study that nobody has"))
            yield tried("C-FIND", lambda: self._find(nothing), "answers")
        elif self._settings.proof == "commitment":
            yield tried(
                "storage commitment",
                lambda: require_classes([COMMITMENT], self._asked),
                "is offered",
            )
        if self._settings.retrieve == "c-get":
            yield tried("C-GET", lambda: require_classes([GET], self._asked), "is offered")
