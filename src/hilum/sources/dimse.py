"""The receiver: a DICOM Storage SCP in a process of its own.

`0x0000` is answered only when the instance is durable in the inbox. Hostile input, memory limits
and crashes stay in this process; the gateway learns what arrived from the inbox, sooner by hints.
"""

import ipaddress
import logging
import os
import selectors
import socket
import threading
import time
import uuid
import weakref
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import A_RELEASE
from pynetdicom.transport import AssociationServer

from hilum.config.receiver import Receiver
from hilum.dicom.uids import is_uid
from hilum.hints import Aborted, Assessed, Committed, HintSender, Quarantined, Released, hint_of
from hilum.inbox import (
    OTHER_CONTENT,
    Inbox,
    Intake,
    assessments,
    commitments,
)
from hilum.inbox.assessments import Slip
from hilum.inbox.growing import Growing
from hilum.inbox.room import require_room
from hilum.rejections import SEE_QUARANTINE, RejectionKind
from hilum.sources.arriving import ArrivingProvider, ReceivedDataSet
from hilum.sources.connection import Connection, Cut, TlsConnection
from hilum.sources.negotiating import (
    application_entity,
    contexts_for,
    contexts_for_all,
    refused_storage,
    related_classes,
)
from hilum.sources.rejecting import Rejecting, Trouble
from hilum.sources.storing import SUCCESS, may_be_assessment, response, take_in
from hilum.sources.traffic import Traffic
from hilum.transport.commitment import answer_in
from hilum.transport.dimse import OUT_OF_RESOURCES
from hilum.transport.tls import RenewedContext

GRACE_SECONDS = 5.0  # for associations still open when the receiver is told to stop
TIDY_SECONDS = 0.5
IDLE_TIDY_SECONDS = 2.0  # while there are no associations
NO_ACCEPT_SECONDS = 0.2  # between two attempts to accept a connection where there is no room for it

REJECTIONS = {  # result, source, diagnostic of PS3.8 table 9-21
    RejectionKind.CALLED: (1, 1, 7),
    RejectionKind.CALLER: (1, 1, 3),
    RejectionKind.CERTIFICATE: (1, 1, 1),
    RejectionKind.ROOM: (2, 3, 2),
}

INVALID_ARGUMENT, RESOURCE_LIMITATION = 0x0115, 0x0213  # PS3.7 annex C

logger = logging.getLogger(__name__)


@dataclass
class _Sender:
    """The other side of one connection."""

    address: str
    connection: Connection
    association: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    caller: str = ""
    called: str = ""
    opened: bool = False
    released: bool = False


class StorageServer(AssociationServer):
    """Accepts connections, associations and instances, or rejects them with a reason."""

    request_queue_size = 128  # with the usual 5, a burst of connections waits for seconds

    def __init__(self, settings: Receiver, data: Path, hints: HintSender) -> None:
        self._settings = settings
        self._data = data
        self._hints = hints
        self._inbox = Inbox(data)
        self._trouble = Trouble()
        self._rejecting = Rejecting(hints)
        self._networks = [
            ipaddress.ip_network(host, strict=False) for host in settings.allowed_hosts
        ]
        self._traffic = Traffic(settings)
        if settings.tls:
            self._context = RenewedContext(settings.tls, "receiver.tls")
        self._stopping = threading.Event()
        self._senders: weakref.WeakKeyDictionary[Association, _Sender] = weakref.WeakKeyDictionary()
        handlers: list[Any] = [
            (evt.EVT_CONN_OPEN, self._connected),
            (evt.EVT_REQUESTED, self._requested),
            (evt.EVT_SOP_COMMON, related_classes),
            (evt.EVT_ACCEPTED, self._accepted),
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_N_EVENT_REPORT, self._commitment),
            (evt.EVT_ACSE_SENT, self._acse_sent),
        ]
        address = (settings.host, settings.port)
        super().__init__(
            application_entity(settings),
            address,
            settings.ae_title,
            contexts_for_all(),
            evt_handlers=handlers,
        )

    def accept_until(self, stop: int) -> None:
        """Accept connections until the file `stop` can be read; unlike `serve_forever`, wait."""
        with selectors.DefaultSelector() as selector:
            selector.register(self, selectors.EVENT_READ)
            selector.register(stop, selectors.EVENT_READ)
            while stop not in {key.fileobj for key, _ in selector.select()}:
                self._handle_request_noblock()  # type: ignore[attr-defined]
                self.service_actions()

    def tidy(self) -> None:
        """End what stays silent and report what was rejected, until the receiver stops."""
        while not self._stopping.wait(TIDY_SECONDS if self._senders else IDLE_TIDY_SECONDS):
            self._traffic.cut_silent()
            self._rejecting.tell()

    def stop(self) -> None:
        """Accept no more. What runs may finish for a while, then it is ended."""
        self.server_close()
        deadline = time.monotonic() + GRACE_SECONDS
        while len(self._traffic) and time.monotonic() < deadline:
            time.sleep(0.02)
        self._traffic.cut_all()
        self._stopping.set()
        self._rejecting.tell()

    # Connections

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        try:
            accepted, address = super().get_request()
        except OSError as error:  # no more files may be open: the caller waits in the queue
            if not isinstance(error, ConnectionError):
                logger.error("no connection can be accepted now: %s", error.strerror)
                self._stopping.wait(NO_ACCEPT_SECONDS)  # or we would try again at once, for ever
            raise
        if self._settings.tls:
            context = self._context.now()
            context.sslsocket_class = TlsConnection
            connection: Connection = context.wrap_socket(
                accepted, server_side=True, do_handshake_on_connect=False
            )  # type: ignore[assignment]
        else:
            connection = Connection(fileno=accepted.detach())
        connection.watch(_host(address[0]), self._traffic)
        return connection, address

    def verify_request(self, request: Any, client_address: Any) -> bool:
        host = ipaddress.ip_address(request.host)
        if self._networks and not any(host in network for network in self._networks):
            text = f"address {host} is not among receiver.allowed_hosts: add it if it may send"
            self._rejecting.note(RejectionKind.ADDRESS, text, request.host)
            return False
        if reason := self._traffic.crowded(request):
            self._rejecting.note(RejectionKind.ROOM, reason, request.host)
            return False
        return True

    def handle_error(self, request: Any, client_address: Any) -> None:
        logger.exception("connection failed", exc_info=False)

    def _connected(self, event: Any) -> None:
        association = event.assoc
        connection = association.dul.socket.socket
        sender = self._senders[association] = _Sender(connection.host, connection)
        provider = ArrivingProvider(association, self._grow, connection.release)
        association.dimse = provider

        def closed() -> None:
            provider.drop()
            self._closed(association, sender)

        connection.on_close = closed

    def _closed(self, association: Association, sender: _Sender) -> None:
        if not sender.connection.requested:
            # A port probe: no request will come, do not let the thread wait for it.
            association.dul.to_user_queue.put(None)
        cut = sender.connection.why_cut
        if cut:
            self._refuse(cut.kind, cut.reason, sender)
        if sender.opened and not sender.released:
            reason = cut.reason if cut else "the connection was lost"
            self._hints.send(Aborted(sender.association, sender.caller, reason))

    # Associations

    def _requested(self, event: Any) -> None:
        """Reject the association, or support what the sender proposes."""
        acceptor, requestor = event.assoc.acceptor, event.assoc.requestor
        sender = self._senders[event.assoc]
        sender.connection.requested = True
        sender.caller = requestor.primitive.calling_ae_title
        sender.called = requestor.primitive.called_ae_title
        if rejection := self._rejection(sender):
            self._refuse(rejection.kind, rejection.reason, sender)
            event.assoc.acse.send_reject(*REJECTIONS[rejection.kind])
            event.assoc.kill()  # returns when the rejection has gone out
            return
        acceptor.supported_contexts = [
            *acceptor.supported_contexts,
            *contexts_for(requestor),
        ]

    def _rejection(self, sender: _Sender) -> Cut | None:
        """Why the association is rejected, if it is."""
        settings = self._settings
        if settings.require_called_ae_title and sender.called != settings.ae_title:
            text = f"called AE title {sender.called} is not ours ({settings.ae_title})"
            cure = "correct the sender, or set receiver.require_called_ae_title to false"
            return Cut(RejectionKind.CALLED, f"{text}: {cure}")
        if settings.allowed_callers and sender.caller not in settings.allowed_callers:
            text = f"calling AE title {sender.caller} is not among receiver.allowed_callers"
            return Cut(RejectionKind.CALLER, f"{text}: correct the sender, or add it")
        subject = sender.connection.subject()
        if settings.allowed_certificates and not subject.is_among(settings.allowed_certificates):
            text = f"the certificate of {subject} is not among receiver.allowed_certificates"
            return Cut(RejectionKind.CERTIFICATE, f"{text}: add it if it may send")
        if reason := self._traffic.admit(sender.connection, bool(settings.allowed_callers)):
            return Cut(RejectionKind.ROOM, reason)
        return None

    def _accepted(self, event: Any) -> None:
        sender = self._senders[event.assoc]
        sender.opened = True
        if names := refused_storage(event.assoc):
            text = f"no transfer syntax it offers for {', '.join(names[:4])} is accepted"
            cure = "set the sender to offer Explicit VR Little Endian, too"
            self._refuse(RejectionKind.SYNTAX, f"{text}: {cure}", sender)

    def _acse_sent(self, event: Any) -> None:
        if isinstance(event.primitive, A_RELEASE):
            sender = self._senders[event.assoc]
            sender.released = True
            self._hints.send(Released(sender.association, sender.caller))

    # Instances

    def _grow(self, before: bytes) -> Growing:
        return self._inbox.grow(before, self._settings.low_water_mb)

    def _store(self, event: Any) -> Dataset | int:
        sender = self._senders[event.assoc]
        arriving: ReceivedDataSet = event.request.DataSet
        try:
            require_room(self._data, self._settings.low_water_mb)
            if arriving.problem:
                raise arriving.problem
            status, stored = take_in(self._inbox, event, sender.caller, arriving.file)
            heard = sender.caller in self._settings.assessments_from
            may_assess = status == SUCCESS and heard and may_be_assessment(event)
            if may_assess:
                path = stored.path.relative_to(self._data)
                assessments.keep(self._data, Slip(path, sender.caller, sender.address))
        except (OSError, MemoryError) as error:
            reason = os.strerror(error.errno or 0) if isinstance(error, OSError) else "no memory"
            self._trouble.begins(reason)
            self._refuse(
                RejectionKind.STORAGE, f"0xA700: {reason}; it may send again later", sender
            )
            return response(OUT_OF_RESOURCES, reason)
        finally:
            arriving.drop()
        self._trouble.ends()
        self._traffic.has_sent(sender.address)
        # Other content may be a correction, which is no refusal: the gateway finds out.
        if stored.outcome is Intake.QUARANTINED and stored.reason != OTHER_CONTENT:
            self._refuse(RejectionKind.CONTENT, f"{stored.reason}: {SEE_QUARANTINE}", sender)
        hint = hint_of(stored, sender.association, sender.caller, stored.study_uid)
        if isinstance(hint, Quarantined):
            hint = replace(hint, address=sender.address, called=sender.called)
        self._hints.send(hint)
        if may_assess:
            self._hints.send(Assessed())
        return response(status, stored.reason if status else "")

    def _commitment(self, event: Any) -> tuple[int, None]:
        """Keep what an archive answers to a request of ours, until the gateway has seen it."""
        answer = answer_in(event)
        if answer is None or not is_uid(answer.transaction_uid):
            return INVALID_ARGUMENT, None
        try:
            require_room(self._data, self._settings.low_water_mb)
            commitments.keep(self._data, answer)
        except OSError as error:
            self._trouble.begins(os.strerror(error.errno or 0))
            return RESOURCE_LIMITATION, None
        self._hints.send(Committed())
        return SUCCESS, None

    def _refuse(self, kind: RejectionKind, reason: str, sender: _Sender) -> None:
        self._rejecting.note(kind, reason, sender.address, sender.caller, sender.called)


def _host(address: str) -> str:
    """The address of a sender as the settings write it: IPv4 where it is IPv4."""
    parsed = ipaddress.ip_address(address)
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)
