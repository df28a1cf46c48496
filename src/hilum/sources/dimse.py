"""The receiver: a DICOM Storage SCP in a process of its own.

`0x0000` is answered only when the instance is durable in the inbox. Hostile input, memory limits
and crashes stay in this process; the gateway learns what arrived from the inbox, sooner by hints.
"""

import ipaddress
import logging
import os
import resource
import signal
import socket
import sys
import threading
import time
import uuid
import warnings
import weakref
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import A_RELEASE, SOPClassCommonExtendedNegotiation
from pynetdicom.presentation import build_context
from pynetdicom.transport import AssociationServer

from hilum.config.site import Receiver
from hilum.dicom.header import identify
from hilum.dicom.part10 import prefix
from hilum.dicom.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from hilum.errors import UnreadableError
from hilum.hints import HintSender
from hilum.inbox import Inbox, Outcome, Stored
from hilum.inbox.room import MEBIBYTE, require_room
from hilum.process import data_bytes, die_with_parent
from hilum.sources.connection import Connection, Traffic
from hilum.transport.dimse import (
    MAXIMUM_PDU,
    TRANSFER_SYNTAXES,
    VERIFICATION,
    is_storage_class,
    quieten_libraries,
)

GRACE_SECONDS = 5.0  # for associations still open when the receiver is told to stop
ASSOCIATION_REQUEST_SECONDS = 15.0  # PS3.8 9.1.5, ARTIM
IDLE_SECONDS = 300.0  # scanners keep an association open while they reconstruct
THREAD_STACK = MEBIBYTE  # the default of 8 MiB per thread would eat the memory limit
CALM_SECONDS = 2.0  # without a refusal, before trouble counts as over
SPARE_CONNECTIONS = 32  # port probes and monitors, which open no association
STORAGE_SERVICE_CLASS = "1.2.840.10008.4.2"

CALLED_NOT_RECOGNISED = (1, 1, 7)  # result, source, diagnostic of PS3.8 table 9-21
CALLING_NOT_RECOGNISED = (1, 1, 3)
LIMIT_EXCEEDED = (2, 3, 2)

SUCCESS = 0x0000
OUT_OF_RESOURCES = 0xA700  # PS3.4 table B.2-1, this one and the next three
DOES_NOT_MATCH = 0xA900
CANNOT_UNDERSTAND = 0xC000
COERCED = 0xB000  # a warning: the first version is kept, this one stands apart

logger = logging.getLogger(__name__)


def serve(settings: Receiver, data: Path, hints: Path) -> None:
    """Receive into the inbox below `data` until SIGTERM, or until the parent process is gone.

    Blocks; meant as the work of a process of its own. `hints` is the socket of the gateway.
    """
    die_with_parent()
    quieten_libraries()
    warnings.simplefilter("ignore")  # they print element values
    threading.excepthook = _log_without_values
    threading.stack_size(THREAD_STACK)
    limit = data_bytes() + settings.memory_mb * MEBIBYTE  # what is loaded now is not counted
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    stop, stopped = os.pipe()
    signal.signal(signal.SIGTERM, lambda *_: os.write(stopped, b"."))

    server = _Server(settings, data, HintSender(hints))
    accepting = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.2})
    accepting.start()
    os.read(stop, 1)
    server.stop()
    accepting.join()


@dataclass
class _Peer:
    """The other side of one connection, for hints."""

    address: str
    connection: Connection
    association: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    caller: str = ""
    opened: bool = False
    released: bool = False


class _Trouble:
    """That images cannot be stored: a line in the log when it begins, and one when it is over."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reason = ""
        self._last = 0.0

    def begins(self, reason: str) -> None:
        with self._lock:
            self._last = time.monotonic()
            if reason != self._reason:
                logger.error("images are refused (0xA700): %s", reason)
            self._reason = reason

    def ends(self) -> None:
        """One was stored; a small one may fit where others do not, so wait for a while."""
        with self._lock:
            if self._reason and time.monotonic() - self._last > CALM_SECONDS:
                logger.warning("images are stored again")
                self._reason = ""


class _Server(AssociationServer):
    """Accepts connections, associations and instances; refuses each with a reason."""

    def __init__(self, settings: Receiver, data: Path, hints: HintSender) -> None:
        self._settings = settings
        self._data = data
        self._hints = hints
        self._inbox = Inbox(data)
        self._trouble = _Trouble()
        self._networks = [
            ipaddress.ip_network(host, strict=False) for host in settings.allowed_hosts
        ]
        # An object exists three times for a moment: as received, as PDV data, as Part 10.
        self._traffic = Traffic(settings.memory_mb * MEBIBYTE // 4)
        self._peers: weakref.WeakKeyDictionary[Association, _Peer] = weakref.WeakKeyDictionary()
        handlers: list[Any] = [
            (evt.EVT_CONN_OPEN, self._connected),
            (evt.EVT_REQUESTED, self._requested),
            (evt.EVT_SOP_COMMON, self._unknown_classes),
            (evt.EVT_ACCEPTED, self._accepted),
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_ACSE_SENT, self._acse_sent),
        ]
        address = (settings.host, settings.port)
        verification = [build_context(VERIFICATION)]
        super().__init__(
            _application_entity(settings),
            address,
            settings.ae_title,
            verification,
            evt_handlers=handlers,
        )

    def stop(self) -> None:
        """Accept no more, let what runs finish for a while, then cut it off."""
        super(AssociationServer, self).shutdown()
        self.server_close()
        deadline = time.monotonic() + GRACE_SECONDS
        while len(self._traffic) and time.monotonic() < deadline:
            time.sleep(0.02)
        self._traffic.cut_all()

    # Connections

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        accepted, address = super().get_request()
        return Connection(accepted, self._traffic), address

    def verify_request(self, request: Any, client_address: Any) -> bool:
        address = ipaddress.ip_address(client_address[0])
        most = self._settings.max_associations + SPARE_CONNECTIONS
        address = getattr(address, "ipv4_mapped", None) or address
        if self._networks and not any(address in network for network in self._networks):
            reason = f"address {address} is not among the allowed hosts"
        elif len(self._traffic) > most:
            reason = f"more than {most} connections are open"
        else:
            return True
        self._hints.send("refused", address=str(address), reason=reason)
        return False

    def handle_error(self, request: Any, client_address: Any) -> None:
        logger.exception("connection failed", exc_info=False)

    def _connected(self, event: Any) -> None:
        association = event.assoc
        connection = association.dul.socket.socket
        peer = self._peers[association] = _Peer(association.requestor.address, connection)
        connection.on_close = lambda: self._closed(association, peer)

    def _closed(self, association: Association, peer: _Peer) -> None:
        refusal = peer.connection.refusal
        if not peer.caller:
            # A port probe: no request will come, do not let the thread wait for it.
            association.dul.to_user_queue.put(None)
        if peer.opened and not peer.released:
            self._tell("aborted", peer, reason=refusal or "the connection was lost")
        elif refusal:
            self._tell("refused", peer, reason=refusal)

    # Associations

    def _requested(self, event: Any) -> None:
        """Support whatever storage the peer proposes: no list of ours can be complete."""
        acceptor, requestor = event.assoc.acceptor, event.assoc.requestor
        peer = self._peers[event.assoc]
        peer.caller = requestor.primitive.calling_ae_title
        if rejection := self._rejection(requestor.primitive, peer):
            code, reason = rejection
            event.assoc.acse.send_reject(*code)
            event.assoc.kill()  # returns when the rejection has gone out
            self._tell("refused", peer, reason=reason)
            return
        proposed = {context.abstract_syntax for context in requestor.requested_contexts}
        acceptor.supported_contexts = [
            *acceptor.supported_contexts,
            *(build_context(uid, TRANSFER_SYNTAXES) for uid in proposed if is_storage_class(uid)),
        ]

    def _rejection(self, request: Any, peer: _Peer) -> tuple[tuple[int, int, int], str] | None:
        """The code of the rejection and its reason in plain words, if there is one."""
        settings = self._settings
        if settings.require_called_ae_title and request.called_ae_title != settings.ae_title:
            reason = f"called AE title {request.called_ae_title} is not ours ({settings.ae_title})"
            return CALLED_NOT_RECOGNISED, reason
        if settings.allowed_callers and peer.caller not in settings.allowed_callers:
            reason = f"calling AE title {peer.caller} is not among the allowed callers"
            return CALLING_NOT_RECOGNISED, reason
        if not self._traffic.admit(peer.connection, settings.max_associations):
            return LIMIT_EXCEEDED, f"{settings.max_associations} associations are open already"
        return None

    def _unknown_classes(self, event: Any) -> dict[Any, SOPClassCommonExtendedNegotiation]:
        """Name the Storage Service as the service of private SOP classes (PS3.7 D.3.3.6)."""
        items = {}
        for context in event.assoc.requestor.requested_contexts:
            if is_storage_class(context.abstract_syntax):
                item = SOPClassCommonExtendedNegotiation()
                item.sop_class_uid = context.abstract_syntax
                item.service_class_uid = STORAGE_SERVICE_CLASS
                items[context.abstract_syntax] = item
        return items

    def _accepted(self, event: Any) -> None:
        peer = self._peers[event.assoc]
        peer.opened = True
        names = sorted({context.abstract_syntax.name for context in event.assoc.rejected_contexts})
        reason = f"not accepted: {', '.join(names[:8])}" if names else ""
        self._tell("opened", peer, reason=reason)

    def _acse_sent(self, event: Any) -> None:
        if isinstance(event.primitive, A_RELEASE):
            peer = self._peers[event.assoc]
            peer.released = True
            self._tell("released", peer)

    # Instances

    def _store(self, event: Any) -> Dataset | int:
        peer = self._peers[event.assoc]
        try:
            require_room(self._data, self._settings.low_water_mb)
            status, stored = self._take(event, peer)
        except (OSError, MemoryError) as error:
            reason = os.strerror(error.errno or 0) if isinstance(error, OSError) else "no memory"
            self._trouble.begins(reason)
            self._tell("refused", peer, reason=reason)
            return _response(OUT_OF_RESOURCES, reason)
        self._trouble.ends()
        self._tell(
            stored.outcome.value,
            peer,
            path=str(stored.path),
            study=stored.study_uid,
            reason=stored.reason,
        )
        return _response(status, stored.reason)

    def _take(self, event: Any, peer: _Peer) -> tuple[int, Stored]:
        sop_class = event.request.AffectedSOPClassUID
        sop_instance = event.request.AffectedSOPInstanceUID
        syntax = event.context.transfer_syntax
        dataset = event.encoded_dataset(include_meta=False)
        part10 = prefix(sop_class, sop_instance, syntax, peer.caller) + dataset
        try:
            uids = identify(part10)
        except UnreadableError as error:
            return CANNOT_UNDERSTAND, self._inbox.set_apart(part10, str(error), peer.caller)
        if other := _difference(event, uids):
            reason = f"{other} UID of the request and of the data set differ"
            study_uid = uids["StudyInstanceUID"]
            return DOES_NOT_MATCH, self._inbox.set_apart(part10, reason, peer.caller, study_uid)
        stored = self._inbox.keep(part10, uids, peer.caller)
        return COERCED if stored.outcome is Outcome.QUARANTINED else SUCCESS, stored

    def _tell(self, what: str, peer: _Peer, **fields: str) -> None:
        self._hints.send(
            what, association=peer.association, caller=peer.caller, address=peer.address, **fields
        )


def _difference(event: Any, uids: dict[str, str]) -> str:
    """What the data set says otherwise than the request that it came with, or ""."""
    request = event.request
    if uids["SOPInstanceUID"] != request.AffectedSOPInstanceUID:
        return "SOP Instance"
    classes = {request.AffectedSOPClassUID, event.context.abstract_syntax, uids["SOPClassUID"]}
    return "SOP Class" if len(classes) > 1 else ""


def _application_entity(settings: Receiver) -> AE:
    entity = AE(settings.ae_title)
    entity.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    entity.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    entity.maximum_pdu_size = MAXIMUM_PDU
    entity.maximum_associations = sys.maxsize  # it counts port probes too: we count ourselves
    entity.acse_timeout = ASSOCIATION_REQUEST_SECONDS
    entity.network_timeout = IDLE_SECONDS
    return entity


def _response(status: int, comment: str) -> Dataset | int:
    if not comment:
        return status
    response = Dataset()
    response.Status = status
    response.ErrorComment = comment[:64]
    return response


def _log_without_values(arguments: threading.ExceptHookArgs) -> None:
    name = arguments.thread.name if arguments.thread else "?"
    logger.error("thread %s ended by %s", name, arguments.exc_type.__name__)
