"""A small Storage, Query and Storage Commitment SCP (PS3.4 B, C and J)."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pydicom
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pynetdicom import AE, AllStoragePresentationContexts, build_context, build_role, evt

from hilum.dicom.header import text_of
from hilum.transport.commitment import COMMITMENT, INSTANCE
from hilum.transport.dimse import VERIFICATION, quieten_libraries
from hilum_lab.archives.behaviour import (
    EVERY,
    QUERY_AE_TITLE,
    RECEIVER_AE_TITLE,
    Commits,
    DimseBehaviour,
)
from hilum_lab.archives.holdings import ArchiveHoldings
from hilum_lab.network.processes import LOOPBACK

FULL, CANNOT_UNDERSTAND, COERCED = 0xA700, 0xC000, 0xB000
ALL_COMMITTED, SOME_FAILED = 1, 2  # Event Type IDs
STORAGE = {str(context.abstract_syntax) for context in AllStoragePresentationContexts}
WELL = DimseBehaviour()


class DimseArchive(ArchiveHoldings):
    """Takes and shows instances as its `behaviour` says.

    Parameters
    ----------
    port
        Where it listens.
    query_port
        Where it is asked, if that is another one; 0 means `port`.
    commit_to
        The port of the receiver to which commitments go that come later.

    Attributes
    ----------
    asked
        How often it was asked for the earlier studies of a patient, of which it has none.
    """

    def __init__(self, port: int, query_port: int = 0, commit_to: int = 0) -> None:
        super().__init__()
        self.port = port
        self.behaviour = WELL
        self.asked = 0
        self._query_port = query_port
        self._commit_to = commit_to
        self._opened_at = 0  # how much had been sent
        self._goes_down = threading.Event()
        self._servers: list[Any] = []

    def open(self, behaviour: DimseBehaviour = WELL) -> None:
        """Start, or start again, and behave like that from now on."""
        self.close()
        self.behaviour, self._opened_at = behaviour, self.sent.total()
        self._goes_down.clear()
        quieten_libraries()
        storage = self._entity(behaviour.ae_title)
        if behaviour.commits is not Commits.NOT:
            storage.add_supported_context(COMMITMENT)
        asked = self._entity(QUERY_AE_TITLE) if self._query_port else storage
        if behaviour.rejects_queries:
            asked.require_calling_aet = ["SOMEBODY"]
        for model in behaviour.models:
            asked.add_supported_context(model)
        self._listen(storage, self.port, (evt.EVT_REQUESTED, self._requested))
        if self._query_port:
            self._listen(asked, self._query_port)

    def close(self) -> None:
        """Go down."""
        self._goes_down.set()
        while self._servers:
            self._servers.pop().shutdown()

    def _entity(self, ae_title: str) -> AE:
        entity = AE(ae_title)
        entity.require_called_aet = True
        entity.maximum_pdu_size = self.behaviour.largest_pdu
        entity.maximum_associations = self.behaviour.most_associations
        entity.add_supported_context(VERIFICATION)
        return entity

    def _listen(self, entity: AE, port: int, *more: Any) -> None:
        handlers: list[Any] = [
            *more,
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_C_FIND, self._find),
            (evt.EVT_N_ACTION, self._commit),
        ]
        self._servers.append(entity.start_server((LOOPBACK, port), False, evt_handlers=handlers))

    # Storage --------------------------------------------------------------------------------------

    def _requested(self, event: Any) -> None:
        """Support what is proposed; all classes would be copied for each association, in 0.05 s."""
        acceptor, requestor = event.assoc.acceptor, event.assoc.requestor
        proposed = {str(context.abstract_syntax) for context in requestor.requested_contexts}
        taken = (proposed & STORAGE) - self.behaviour.left_out
        syntaxes = list(self.behaviour.syntaxes)
        acceptor.supported_contexts = [
            *acceptor.supported_contexts,
            *(build_context(sop_class, syntaxes) for sop_class in sorted(taken)),
        ]

    def _store(self, event: Any) -> int | Dataset:
        header = pydicom.dcmread(
            DicomBytesIO(event.encoded_dataset()), stop_before_pixels=True, force=True
        )
        number = self.sent.total() - self._opened_at
        status = self._status(str(header.SOPClassUID), number)
        is_cut_off = number < self.behaviour.drop_first
        is_taken = status == 0 or 0xB000 <= status <= 0xBFFF
        self.note(header, is_taken and not is_cut_off)
        if is_taken and (self.behaviour.drop_keeps or not is_cut_off):
            self.hold(header, self.behaviour)
        time.sleep(self.behaviour.slow_seconds)
        if is_cut_off:
            event.assoc.abort()
        return self._answer(status)

    def _status(self, sop_class: str, number: int) -> int:
        """What the object is answered with; `number` came before it since the opening."""
        statuses = self.behaviour.statuses
        if number < self.behaviour.full_first:
            return FULL
        usual = COERCED if self.behaviour.coerces else 0
        return statuses.get(sop_class, statuses.get(EVERY, usual))

    def _answer(self, status: int) -> int | Dataset:
        if not (status and self.behaviour.comment):
            return status
        answer = Dataset()
        answer.Status, answer.ErrorComment = status, self.behaviour.comment
        return answer

    # Queries --------------------------------------------------------------------------------------

    def _find(self, event: Any) -> Iterator[tuple[int, Dataset | None]]:
        asked, behaviour = event.identifier, self.behaviour
        level = str(asked.QueryRetrieveLevel)
        if behaviour.breaks_off_queries:
            event.assoc.abort()
            return
        if level == "STUDY" and not asked.get("StudyInstanceUID"):
            self.asked += 1
            if behaviour.hangs:
                self._goes_down.wait()
            return
        statuses = behaviour.find_statuses
        if status := statuses.get(level, statuses.get(EVERY, 0)):
            yield status, None
        elif level not in behaviour.empty_levels:
            found = list(self.matches(level, asked, replace(behaviour, limit=0)))
            for header in found[: behaviour.limit or None]:
                yield 0xFF00, self._match(asked, header)
            if behaviour.limit_status and len(found) > behaviour.limit:
                yield behaviour.limit_status, None

    def _match(self, asked: Dataset, header: Dataset) -> Dataset:
        """What a query asks for, of one instance."""
        match = Dataset()
        match.QueryRetrieveLevel = asked.QueryRetrieveLevel
        for element in asked:
            if element.keyword != "QueryRetrieveLevel" and element.tag in header:
                match.add(header[element.tag])
        if "NumberOfSeriesRelatedInstances" in asked and self.behaviour.counts:
            count = self.count_in_series(text_of(header, "SeriesInstanceUID"))
            match.NumberOfSeriesRelatedInstances = count
        return match

    # Commitment -----------------------------------------------------------------------------------

    def _commit(self, event: Any) -> tuple[int, None]:
        if self.behaviour.commits is not Commits.NEVER:
            answer = self._event_information(event.action_information)
            at_once = self.behaviour.commits is Commits.AT_ONCE
            call, arguments = (_report, (event.assoc,)) if at_once else (self._report_later, ())
            threading.Thread(target=call, args=(*arguments, answer), daemon=True).start()
        return 0, None

    def _event_information(self, request: Dataset) -> Dataset:
        """What it commits itself to, and what it does not (PS3.4 Table J.3-2)."""
        answer = Dataset()
        answer.TransactionUID = request.TransactionUID
        committed: list[Dataset] = []
        failed: list[Dataset] = []
        failures = self.behaviour.commit_failures
        for item in request.ReferencedSOPSequence:
            sop_class, uid = str(item.ReferencedSOPClassUID), str(item.ReferencedSOPInstanceUID)
            reason = failures.get(sop_class, failures.get(EVERY, 0))
            if not reason and uid not in self.holds:
                reason = 0x0112  # no such object instance
            if reason:
                item.FailureReason = reason
            (failed if reason else committed).append(item)
        answer.ReferencedSOPSequence = committed
        if failed:
            answer.FailedSOPSequence = failed
        return answer

    def _report_later(self, answer: Dataset) -> None:
        if self._goes_down.wait(self.behaviour.commits_after_seconds):
            return
        entity = AE(self.behaviour.ae_title)
        entity.add_requested_context(COMMITMENT)
        role = build_role(COMMITMENT, scp_role=True)
        association = entity.associate(
            LOOPBACK, self._commit_to, ae_title=RECEIVER_AE_TITLE, ext_neg=[role]
        )
        if association.is_established:
            _report(association, answer)
            association.release()


def _report(association: Any, answer: Dataset) -> None:
    kind = SOME_FAILED if "FailedSOPSequence" in answer else ALL_COMMITTED
    association.send_n_event_report(answer, kind, COMMITMENT, INSTANCE)
