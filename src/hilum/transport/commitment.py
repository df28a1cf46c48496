"""Storage commitment, push model, as service class user (PS3.4 annex J)."""

import threading
from collections.abc import Sequence
from typing import Any

from pydicom.dataset import Dataset
from pynetdicom import build_role, evt
from pynetdicom.dimse_messages import N_EVENT_REPORT_RSP
from pynetdicom.presentation import build_context

from hilum.answers import Acceptance, Commitment
from hilum.dicom.header import HOSTILE, text_of
from hilum.errors import DeliveryDelayed, DeliveryRefused
from hilum.transport.scu import Peer, associate
from hilum.transport.statuses import meaning_of
from hilum.wording import clauses

COMMITMENT = "1.2.840.10008.1.20.1"
INSTANCE = "1.2.840.10008.1.20.1.1"  # the well-known instance of that class
REQUEST = 1  # Action Type ID
PROCESSING_FAILURE, NO_SUCH_ARGUMENT = 0x0110, 0x0114
AT_ONCE_SECONDS = 2.0  # for which the association stays open: some archives answer on it
MOST_OBJECTS = 10_000  # of one answer

Object = tuple[str, str]  # SOP Class UID, SOP Instance UID


def request(objects: Sequence[Object], transaction_uid: str, peer: Peer) -> Commitment | None:
    """Ask `peer` to commit itself to `objects`; None if its answer comes later, to the receiver.

    Raises
    ------
    DeliveryDelayed
        It does not answer now.
    DeliveryRefused
        It does not offer the service, or does not take the request.
    """
    heard = _Heard(transaction_uid)
    roles = [build_role(COMMITMENT, scu_role=True, scp_role=True)]
    handlers: list[evt.EventHandlerType] = [
        (evt.EVT_N_EVENT_REPORT, heard.take),
        (evt.EVT_DIMSE_SENT, heard.note_sent),
    ]
    try:
        with associate(peer, [build_context(COMMITMENT)], roles, handlers) as association:
            response, _ = association.send_n_action(
                _question(objects, transaction_uid), REQUEST, COMMITMENT, INSTANCE
            )
            status = response.get("Status")
            if status is None:
                raise DeliveryDelayed(f"{peer}: no answer to the request for commitment")
            if status != 0:
                text = f"{peer} answered the request for commitment with 0x{status:04X}"
                passes = meaning_of(status)[0] is Acceptance.LATER
                error = DeliveryDelayed if passes else DeliveryRefused
                raise error(f"{text}: its log names the cause")
            heard.came.wait(AT_ONCE_SECONDS)
    except DeliveryRefused as error:
        cure = 'enable storage commitment for us there, or set proof = "query"'
        raise DeliveryRefused(clauses(str(error), cure)) from error
    return heard.answer


class _Heard:
    """The answer to one request, if it comes on the same association."""

    def __init__(self, transaction_uid: str) -> None:
        self.came = threading.Event()
        self.answer: Commitment | None = None
        self._transaction_uid = transaction_uid

    def take(self, event: Any) -> tuple[int, Dataset | None]:
        """Take an N-EVENT-REPORT."""
        answer = answer_in(event)
        if answer is None or answer.transaction_uid != self._transaction_uid:
            return NO_SUCH_ARGUMENT, None
        self.answer = answer
        return 0, None

    def note_sent(self, event: Any) -> None:
        """Go on once the peer has been told that we have its answer."""
        if self.answer and isinstance(event.message, N_EVENT_REPORT_RSP):
            self.came.set()


def answer_in(event: Any) -> Commitment | None:
    """The answer that an N-EVENT-REPORT brings (PS3.4 Table J.3-2); None if there is none in it."""
    try:
        said = event.event_information
        uid = text_of(said, "TransactionUID")
        committed = [text_of(i, "ReferencedSOPInstanceUID") for i in _items(said, "ReferencedSOP")]
        failed = {
            text_of(item, "ReferencedSOPInstanceUID"): int(item.get("FailureReason") or 0)
            or PROCESSING_FAILURE
            for item in _items(said, "FailedSOP")
        }
    except HOSTILE:
        return None
    return Commitment(uid, tuple(committed), failed) if uid else None


def _items(dataset: Dataset, name: str) -> list[Dataset]:
    return list(dataset.get(f"{name}Sequence") or [])[:MOST_OBJECTS]


def _question(objects: Sequence[Object], transaction_uid: str) -> Dataset:
    question = Dataset()
    question.TransactionUID = transaction_uid
    question.ReferencedSOPSequence = []
    for sop_class, sop_instance in objects:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, sop_instance
        question.ReferencedSOPSequence.append(item)
    return question
