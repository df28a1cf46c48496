"""Query and retrieve as service class user: C-FIND, C-GET, C-MOVE, Study Root (PS3.4 C.4)."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from copy import deepcopy
from functools import partial
from math import inf
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import StoragePresentationContexts, build_role, evt
from pynetdicom.association import Association
from pynetdicom.presentation import build_context

from hilum.dicom.header import HOSTILE
from hilum.errors import DeliveryDelayed, DeliveryRefused
from hilum.retrieving import Moved
from hilum.transport.dimse import OUT_OF_RESOURCES
from hilum.transport.scu import Peer, associate

FIND = "1.2.840.10008.5.1.4.1.2.2.1"
PATIENT_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.1.1"
GET = "1.2.840.10008.5.1.4.1.2.2.3"
MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
MOVE_SECONDS = 600.0  # for which it may send without telling how far it is
SOME_FAILED = 0xB000  # all is done, and some of it failed
PENDING = (0xFF00, 0xFF01)
# no Deflated: nothing that grows when it is opened
SYNTAXES: list[str | UID] = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
MOST_OBJECTS = 200  # of one retrieval
LARGEST = 16 << 20  # bytes of one object

# What an archive is asked for that does not say which classes it has of a study.
USUAL_CLASSES = tuple(
    str(context.abstract_syntax)
    for context in StoragePresentationContexts
    if "Image Storage" in UID(str(context.abstract_syntax)).name
)


class QueryRefused(DeliveryRefused):
    """It can be asked, and does not answer this question; another one may do."""


class QueryBusy(DeliveryDelayed):
    """It answers that it has no resources for all of this question now (0xA7xx)."""


def find(
    queries: Sequence[Dataset], peer: Peer, until: float = inf, patient_id: str = ""
) -> Iterator[Dataset]:
    """Every match of `queries` by C-FIND; raises like `scu.store`.

    After `until`, a time of `time.monotonic`, no more answers are waited for. A peer that has the
    Patient Root alone is asked that way, where the queries are about the patient `patient_id`.
    """
    if not queries:
        return
    models = [FIND, PATIENT_ROOT_FIND] if patient_id else [FIND]
    with associate(peer, [build_context(model) for model in models]) as association:
        accepted = {str(context.abstract_syntax) for context in association.accepted_contexts}
        if FIND not in accepted:
            queries = [_of_patient(query, patient_id) for query in queries]
        model = FIND if FIND in accepted else PATIENT_ROOT_FIND
        send = partial(association.send_c_find, query_model=model)
        for status, match in _pending(association, send, queries, "C-FIND", peer, until):
            if match is None:
                _require_success(status, peer, "C-FIND")
            else:
                yield match


def _of_patient(query: Dataset, patient_id: str) -> Dataset:
    """The same query in the Patient Root, where the patient is a unique key (PS3.4 C.6.1)."""
    query = deepcopy(query)
    query.PatientID = patient_id
    return query


def get(
    queries: Sequence[Dataset], sop_classes: Sequence[str], peer: Peer, until: float = inf
) -> list[Dataset]:
    """What `queries` name, by C-GET: objects of `sop_classes` in memory; raises like `find`.

    What is larger than `LARGEST`, or cannot be decoded, is left out.
    """
    if not queries:
        return []
    kept = _Kept(until)
    contexts = [build_context(GET, SYNTAXES), *(build_context(c, SYNTAXES) for c in sop_classes)]
    roles = [build_role(sop_class, scp_role=True) for sop_class in sop_classes]
    with associate(peer, contexts, roles, [(evt.EVT_C_STORE, kept.keep)]) as association:
        if GET not in {str(context.abstract_syntax) for context in association.accepted_contexts}:
            raise DeliveryRefused(f"{peer} does not offer C-GET: enable it there")
        send = partial(association.send_c_get, query_model=GET)
        for _ in _pending(association, send, queries, "C-GET", peer, until):
            pass  # the objects come to `kept`
    return kept.objects


def move(study_uid: str, ae_title: str, peer: Peer) -> Iterator[Moved]:
    """Have `peer` send a study to the listener that it knows as `ae_title`: C-MOVE (PS3.4 C.4.2).

    How far it is, as often as it tells; at last how it ended. Raises like `find`.
    """
    query = Dataset()
    query.QueryRetrieveLevel = "STUDY"
    query.StudyInstanceUID = study_uid
    with associate(peer, [build_context(MOVE)]) as association:
        association.dimse_timeout = max(peer.timeout, MOVE_SECONDS)
        for response, _ in association.send_c_move(query, ae_title, query_model=MOVE):
            status = response.get("Status")
            if status not in (*PENDING, SOME_FAILED):
                _require_sent(status, peer, ae_title)
            yield Moved(
                response.get("NumberOfCompletedSuboperations") or 0,
                response.get("NumberOfFailedSuboperations") or 0,
                response.get("NumberOfRemainingSuboperations") or 0,
            )


def _require_sent(status: int | None, peer: Peer, ae_title: str) -> None:
    """Raise unless C-MOVE has ended well. Not all say 0xA801 where they do not know `ae_title`."""
    text = f"register AE title {ae_title} there, with the address and port of our receiver"
    cure = f"if it does not know where to send it, {text}"
    try:
        _require_success(status, peer, "C-MOVE")
    except QueryRefused as error:
        raise QueryRefused(f"{error}; {cure}") from error
    except DeliveryDelayed as error:
        if status is None:  # so does an Orthanc that does not know us
            raise DeliveryDelayed(f"{error}; {cure}") from error
        raise


def _pending(
    association: Association,
    send: Callable[[Dataset], Iterator[tuple[Dataset, Dataset | None]]],
    queries: Sequence[Dataset],
    what: str,
    peer: Peer,
    until: float,
) -> Iterator[tuple[int, Dataset | None]]:
    """Status and identifier of every pending answer to `queries`; the last one must be success."""
    for query in queries:
        if not association.is_established:
            raise DeliveryDelayed(f"{peer}: the connection was lost during {what}")
        for response, identifier in send(query):
            status = response.get("Status")
            if time.monotonic() > until:
                raise DeliveryDelayed(f"{peer}: {what} takes too long")
            if status in PENDING:
                yield status, identifier
            else:
                _require_success(status, peer, what)


class _Kept:
    """What a peer sends, as far as there is room and time for it."""

    def __init__(self, until: float) -> None:
        self.objects: list[Dataset] = []
        self._until = until

    def keep(self, event: Any) -> int:
        """Take one object, unless the peer has sent more than there is room or time for."""
        if len(self.objects) >= MOST_OBJECTS or time.monotonic() > self._until:
            event.assoc.abort()
            return OUT_OF_RESOURCES
        with suppress(*HOSTILE):
            if len(event.request.DataSet.getbuffer()) <= LARGEST:
                self.objects.append(event.dataset)
        return 0


def _require_success(status: int | None, peer: Peer, what: str) -> None:
    if status is None:
        raise DeliveryDelayed(f"{peer}: no complete answer to {what}")
    if 0xA700 <= status <= 0xA7FF:
        why = "it lacks resources, or has more than its limit lets it give: raise that there"
        raise QueryBusy(f"{peer} answered {what} with 0x{status:04X}: {why}")
    if status != 0:
        text = f"{peer} answered {what} with 0x{status:04X}: its log names the cause"
        raise QueryRefused(text)
