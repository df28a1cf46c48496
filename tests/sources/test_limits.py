"""One host shuts nobody out: real sockets and real associations, from several loopback hosts."""

import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from pynetdicom import AE
from pynetdicom.association import Association

from hilum.errors import DeliveryDelayed
from hilum.logs import SAME_TEXT
from hilum.processes.hints import Rejected
from hilum.rejections import RejectionKind
from hilum.sources import dimse, traffic
from hilum.transport import sender
from hilum.transport.dimse import VERIFICATION
from tests.patience import NEVER, PATIENCE, until
from tests.synthetic import Running, running_receiver, serve, write_series


@contextmanager
def silent(receiver: Running, host: str, count: int) -> Iterator[list[socket.socket]]:
    """`count` connections of `host` that never say a word."""
    address = ("127.0.0.1", receiver.port)
    with ExitStack() as stack:
        yield [
            stack.enter_context(socket.create_connection(address, 10, source_address=(host, 0)))
            for _ in range(count)
        ]


@contextmanager
def idle(receiver: Running, *hosts: str, each: int) -> Iterator[list[Association]]:
    """`each` associations of every one of `hosts`, as many as the receiver lets them have."""
    entity = AE("FLOOD")
    entity.add_requested_context(VERIFICATION)
    opened = []
    try:
        for host in hosts:
            for _ in range(each):
                association = entity.associate(
                    "127.0.0.1",
                    receiver.port,
                    ae_title=receiver.settings.ae_title,
                    bind_address=(host, 0),
                )
                opened.append(association)
        yield opened
    finally:
        for association in opened:
            if association.is_established:
                association.abort()
        entity.shutdown()


def is_told(receiver: Running, kind: RejectionKind, text: str) -> bool:
    """Whether a refusal of `kind` whose reason holds `text` is told soon."""

    def told() -> bool:
        rejections = [hint.rejection for hint in receiver.wait_for(Rejected)]
        return any(one.kind == kind and text in one.reason for one in rejections)

    return until(told, lambda: f"{text!r} in {receiver.events}")


def is_ended(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2"], ids=["same host", "another host"])
def test_silent_connections_shut_nobody_out(tmp_path: Path, host: str) -> None:
    files = write_series(tmp_path / "scan", 3)
    with running_receiver(tmp_path / "receiver") as receiver, silent(receiver, host, 150):
        assert sender.send(files, receiver.called).stored == 3
        assert is_told(receiver, RejectionKind.ROOM, "connections of this host are open")


def test_silent_connections_of_many_hosts_shut_nobody_out(tmp_path: Path) -> None:
    files = write_series(tmp_path / "scan", 3)
    with running_receiver(tmp_path / "receiver") as receiver, ExitStack() as stack:
        for number in range(2, 12):
            stack.enter_context(silent(receiver, f"127.0.0.{number}", 15))
        assert sender.send(files, receiver.called).stored == 3


def receive_hastily(*given: Any) -> None:
    traffic.FIRST_MESSAGE_SECONDS = traffic.IDLE_SECONDS = 1.0
    serve(*given)


def test_a_connection_that_asks_for_nothing_is_ended_soon(tmp_path: Path) -> None:
    with (
        running_receiver(tmp_path, serve=receive_hastily) as receiver,
        silent(receiver, "127.0.0.1", 2) as connections,
    ):
        with suppress(OSError):  # it may have been ended
            connections[1].sendall(b"\x01\x00")  # the beginning of a request is none
        for connection in connections:
            connection.settimeout(PATIENCE)
            assert is_ended(connection)
        assert is_told(receiver, RejectionKind.SILENCE, "no association request came")


def test_a_host_has_no_more_than_its_share_of_associations(tmp_path: Path) -> None:
    files = write_series(tmp_path / "scan", 3)
    settings = {"max_associations": 8, "max_associations_per_host": 4}
    with (
        running_receiver(tmp_path / "receiver", **settings) as receiver,
        idle(receiver, "127.0.0.2", each=6) as opened,
    ):
        assert sum(association.is_established for association in opened) == 4
        assert is_told(receiver, RejectionKind.ROOM, "max_associations_per_host")
        assert sender.send(files, receiver.called).stored == 3


def test_idle_associations_of_the_greediest_host_make_room(tmp_path: Path) -> None:
    files = write_series(tmp_path / "scan", 3)
    settings = {"max_associations": 8, "max_associations_per_host": 6}
    with (
        running_receiver(tmp_path / "receiver", serve=receive_hastily, **settings) as receiver,
        idle(receiver, "127.0.0.2", "127.0.0.3", "127.0.0.4", each=6),
    ):

        def stored() -> int:
            try:
                return sender.send(files, receiver.called).stored
            except DeliveryDelayed:
                return 0

        # it tries again, as a sender does
        assert until(stored, "a free place", pause=0.5) == 3
        assert is_told(receiver, RejectionKind.ROOM, "was ended for another host")


def test_places_are_kept_for_those_who_have_sent_before(tmp_path: Path) -> None:
    files = write_series(tmp_path / "scan", 3)
    settings = {"max_associations": 8, "max_associations_per_host": 1}
    hosts = [f"127.0.0.{number}" for number in range(2, 14)]
    with running_receiver(tmp_path / "receiver", **settings) as receiver:
        sender.send(files, receiver.called)
        with idle(receiver, *hosts, each=1) as opened:
            assert sum(association.is_established for association in opened) == 6
            assert sender.send(files, receiver.called).stored == 3


def leave_few_descriptors(receiver: Running) -> tuple[int, int]:
    """Let it open three more files, and no others; what its limits were."""
    pid = receiver.process.pid
    few = max(int(file.name) for file in Path(f"/proc/{pid}/fd").iterdir()) + 3
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (few, before[1]))
    return before


def test_a_receiver_that_may_open_no_more_files_waits_and_goes_on(tmp_path: Path) -> None:
    files = write_series(tmp_path / "scan", 3)
    with running_receiver(tmp_path / "receiver") as receiver:
        before = leave_few_descriptors(receiver)
        with silent(receiver, "127.0.0.1", 20):
            until(lambda: "no connection can be accepted now" in receiver.log, "the failure")
            assert receiver.log.count("no connection can be accepted now") <= SAME_TEXT
            resource.prlimit(receiver.process.pid, resource.RLIMIT_NOFILE, before)
            assert sender.send(files, receiver.called).stored == 3


def receive_with_long_pauses(*given: Any) -> None:
    dimse.NO_ACCEPT_SECONDS = NEVER
    traffic.FIRST_MESSAGE_SECONDS = 1.0
    serve(*given)


def test_a_receiver_that_may_open_no_more_files_pauses_before_it_tries_again(
    tmp_path: Path,
) -> None:
    with running_receiver(tmp_path, serve=receive_with_long_pauses) as receiver:
        with silent(receiver, "127.0.0.1", 1):  # after it, all is open that it needs
            assert is_told(receiver, RejectionKind.SILENCE, "no association request came")
        told = len(receiver.wait_for(Rejected))
        leave_few_descriptors(receiver)
        with silent(receiver, "127.0.0.1", 20):
            receiver.wait_for(Rejected, told + 1)
            until(lambda: "no connection can be accepted now" in receiver.log, "the failure")
            assert receiver.log.count("no connection can be accepted now") == 1
        receiver.process.kill()  # in its pause it hears nothing
