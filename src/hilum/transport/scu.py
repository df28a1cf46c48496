"""The side that calls: C-STORE of files as they are and C-ECHO, each as service class user.

The sender (`hilum send`) and the DIMSE destination both send through `store`.
"""

import socket
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
from pydicom.filereader import read_file_meta_info
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import SCP_SCU_RoleSelectionNegotiation
from pynetdicom.presentation import PresentationContext, build_context

from hilum.config.ends import DicomNode
from hilum.config.tls import Tls
from hilum.dicom.header import HOSTILE
from hilum.dicom.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME, LABEL_MAP
from hilum.errors import (
    ConfigurationError,
    DeliveryDelayed,
    DeliveryError,
    DeliveryRefused,
)
from hilum.transport.dimse import MAXIMUM_PDU, VERIFICATION, quieten_libraries, tune
from hilum.transport.our_side import SETTINGS, OurSide
from hilum.transport.tls import client_context, problem_of_tls

MAXIMUM_CONTEXTS = 128  # per association: context IDs are the odd numbers of one byte
SLOWEST_LINE = 1 << 20  # bytes per second; how long a large object may take to go out
CALLED_NOT_RECOGNISED, CALLING_NOT_RECOGNISED = (1, 1, 7), (1, 1, 3)  # PS3.8 table 9-21
TRANSIENT = 2
CONVERTIBLE = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
PROBE_SECONDS = 3.0  # for which is tried what TLS has to do with a failure
NO_ANSWER = "no answer to C-STORE"
LABEL_MAP_NAME = "Label Map Segmentation Storage"  # pydicom 3.0 has no name for it
CLASS_NOT_SUPPORTED, SYNTAX_NOT_SUPPORTED = 0x0122, 0xC122


@dataclass(frozen=True)
class Peer:
    """A DICOM application to call, and the AE title that we call with.

    `our_side` says what somebody would change here: settings, or what they have typed.
    """

    ae_title: str
    host: str
    port: int
    calling: str
    timeout: float = 30.0
    tls: Tls | None = None  # None: in plain
    our_side: OurSide = SETTINGS

    @classmethod
    def of(cls, settings: DicomNode) -> "Peer":
        """The peer that `settings` describe."""
        return cls(
            settings.ae_title,
            settings.host,
            settings.port,
            settings.calling_ae_title,
            settings.timeout_seconds,
            settings.tls,
        )

    def __str__(self) -> str:
        return f"{self.ae_title} at {self.host}:{self.port}"


@dataclass(frozen=True)
class Sent:
    """The answer to one file: its C-STORE status, or None where there is none, and why.

    `reason` is `NO_ANSWER` where the file was sent and nobody knows what became of it.
    """

    path: Path
    status: int | None
    reason: str = ""


@dataclass(frozen=True)
class _File:
    path: Path
    sop_class: str
    syntax: str

    @property
    def contexts(self) -> set[tuple[str, str]]:
        """The contexts to propose: in the file's syntax, and in the default one (PS3.5 10.1)."""
        convertible = self.syntax in CONVERTIBLE
        syntaxes = {self.syntax, str(ImplicitVRLittleEndian)} if convertible else {self.syntax}
        return {(self.sop_class, syntax) for syntax in syntaxes}


def store(files: Sequence[Path], peer: Peer) -> Generator[Sent, None, None]:
    """Send `files` (Part 10), over as few associations as their presentation contexts allow.

    A file goes as it is; only where the peer takes nothing but Implicit VR is it re-encoded.

    Raises
    ------
    DeliveryDelayed
        The peer cannot be reached, is busy, or the connection broke.
    DeliveryRefused
        The peer rejects our association; the text says the cure.
    """
    groups, unusable = _plan(files)
    yield from unusable
    for group in groups:
        contexts = sorted(set().union(*(file.contexts for file in group)))
        with associate(peer, [build_context(*context) for context in contexts]) as association:
            accepted = {
                (str(context.abstract_syntax), str(context.transfer_syntax[0]))
                for context in association.accepted_contexts
            }
            for number, file in enumerate(group):
                yield _send(association, peer, file, accepted, number % 65535 + 1)


def echo(peer: Peer) -> None:
    """Verify the connection by C-ECHO (PS3.4 annex A); raises like `store`."""
    with associate(peer, [build_context(VERIFICATION)]) as association:
        status = association.send_c_echo().get("Status")
        if status != 0:
            raise DeliveryDelayed(f"{peer} did not answer C-ECHO with success")


def require_classes(
    sop_classes: Sequence[str], peer: Peer, syntaxes: Sequence[str] = CONVERTIBLE
) -> None:
    """Raise `DeliveryRefused` unless `peer` accepts all these classes; nothing is sent to it.

    Each in one of the transfer `syntaxes` at least.
    """
    contexts = [build_context(uid, list(syntaxes)) for uid in sop_classes]
    with associate(peer, contexts) as association:
        refused = {str(context.abstract_syntax) for context in association.rejected_contexts}
    if refused:
        names = ", ".join(sorted(map(_name, refused)))
        raise DeliveryRefused(f"{peer} does not accept {names}: enable them there")


def _name(sop_class: str) -> str:
    """The name of a SOP class as people say it."""
    return LABEL_MAP_NAME if sop_class == LABEL_MAP else UID(sop_class).name


@contextmanager
def associate(
    peer: Peer,
    contexts: list[PresentationContext],
    roles: Sequence[SCP_SCU_RoleSelectionNegotiation] = (),
    handlers: Sequence[evt.EventHandlerType] = (),
) -> Iterator[Association]:
    """An established association, released at the end; raises like `store`.

    `roles` are those in which we serve, too, and `handlers` do it.
    """
    quieten_libraries()
    entity = AE(peer.calling)
    entity.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
    entity.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    entity.connection_timeout = entity.acse_timeout = entity.dimse_timeout = peer.timeout
    entity.network_timeout = None  # counts received bytes only: would cut off a long sending
    opened: list[socket.socket] = []
    try:
        tls_args = (client_context(peer.tls), peer.host) if peer.tls else None
    except ConfigurationError as error:
        raise DeliveryDelayed(f"{peer}: {error}") from error
    try:
        association = entity.associate(
            peer.host,
            peer.port,
            contexts,
            peer.ae_title,
            MAXIMUM_PDU,
            ext_neg=list(roles),
            tls_args=tls_args,
            evt_handlers=[(evt.EVT_CONN_OPEN, _opened, [opened, peer.timeout]), *handlers],
        )
        if not association.is_established:
            raise _explain(association, peer)
        with _released(association):
            yield association
    except socket.gaierror as error:
        raise DeliveryDelayed(f"{peer}: unknown host: {error.strerror}") from error
    finally:
        for connection in opened:
            connection.close()  # pynetdicom leaves it open when the peer was quicker


@contextmanager
def _released(association: Association) -> Iterator[None]:
    _stop_reactor(association)
    try:
        yield
    except DeliveryError:
        association.abort()
        raise
    finally:
        if association.is_established:
            # `release` waits for the thread that is gone, if the peer has asked us anything
            association.acse.negotiate_release()


def _opened(event: Any, connections: list[socket.socket], timeout: float) -> None:
    connection = event.assoc.dul.socket.socket
    connections.append(connection)
    tune(connection, timeout)


def _stop_reactor(association: Association) -> None:
    """End the thread that polls the idle association: it may take the answer we wait for.

    `send_c_store` pauses it by two flags with a gap between them; on a busy machine one answer in
    some thousands was lost in the gap, and the sender waited for its time-out.
    """
    association._kill = True
    association.join()
    association._is_paused = True


def _plan(files: Sequence[Path]) -> tuple[list[list[_File]], list[Sent]]:
    """Group files so that each group needs at most 128 presentation contexts."""
    groups: list[list[_File]] = []
    contexts: set[tuple[str, str]] = set()
    unusable = []
    for path in files:
        try:
            meta = read_file_meta_info(path)
            file = _File(path, str(meta.MediaStorageSOPClassUID), str(meta.TransferSyntaxUID))
        except HOSTILE as error:
            unusable.append(Sent(path, None, f"not a DICOM file ({type(error).__name__})"))
            continue
        if not groups or len(contexts | file.contexts) > MAXIMUM_CONTEXTS:
            groups.append([])
            contexts = set()
        contexts |= file.contexts
        groups[-1].append(file)
    return groups, unusable


def _send(
    association: Association,
    peer: Peer,
    file: _File,
    accepted: set[tuple[str, str]],
    message_id: int,
) -> Sent:
    if not association.is_established:
        raise DeliveryDelayed(f"{peer}: the connection was lost")
    if (file.sop_class, file.syntax) in accepted:
        association.dimse_timeout = peer.timeout + file.path.stat().st_size / SLOWEST_LINE
        response = association.send_c_store(file.path, message_id)
    elif file.contexts & accepted:
        response = association.send_c_store(pydicom.dcmread(file.path), message_id)
    elif any(sop_class == file.sop_class for sop_class, _ in accepted):
        return Sent(file.path, SYNTAX_NOT_SUPPORTED, f"{UID(file.syntax).name} not accepted")
    else:
        return Sent(file.path, CLASS_NOT_SUPPORTED, f"{_name(file.sop_class)} not accepted")
    if "Status" not in response:
        return Sent(file.path, None, NO_ANSWER)
    return Sent(file.path, response.Status, str(response.get("ErrorComment", "")))


def _explain(association: Association, peer: Peer) -> DeliveryError:
    """Why there is no association, as the error to raise."""
    answer = association.acceptor.primitive
    if answer is None:
        called = (peer.host, peer.port, peer.tls, PROBE_SECONDS, peer.our_side)
        if problem := problem_of_tls(*called):
            error = DeliveryRefused if problem.is_certain else DeliveryDelayed
            return error(f"{peer}: {problem.text}")
        return DeliveryDelayed(
            f"{peer} cannot be reached: check that it runs, and that host and port are right"
        )
    if not association.is_rejected:
        names = {
            UID(str(context.abstract_syntax)).name for context in association.rejected_contexts
        }
        return DeliveryRefused(
            f"{peer} accepts none of {', '.join(sorted(names))}: enable them there"
        )
    reason = (answer.result, answer.result_source, answer.diagnostic)
    if reason == CALLED_NOT_RECOGNISED:
        return DeliveryRefused(
            f"{peer} does not answer to that AE title: correct the title set there; or "
            f"correct {peer.our_side.ae_title}{peer.our_side.then}"
        )
    if reason == CALLING_NOT_RECOGNISED:
        return DeliveryRefused(f"{peer} does not know us: register AE title {peer.calling} there")
    if answer.result == TRANSIENT:
        return DeliveryDelayed(f"{peer} is busy: {answer.reason_str}")
    return DeliveryRefused(f"{peer} rejects our association: {answer.reason_str}")
