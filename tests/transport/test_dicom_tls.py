"""DICOM over TLS: our receiver and our client, against each other and against DCMTK."""

import os
import select
import shlex
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hilum.cli import app
from hilum.config.receiver import Receiver
from hilum.config.tls import ListenerTls, Tls, ends_at
from hilum.errors import ConfigurationError, DeliveryDelayed, DeliveryRefused
from hilum.sources import traffic
from hilum.sources.subject import CertificateSubject
from hilum.transport import sender
from hilum.transport.scu import Peer, echo
from hilum.transport.tls import client_context
from hilum_lab.network.processes import available_port
from tests.patience import NEVER, until
from tests.synthetic import DCMTK, Running, running_receiver, serve, wait_for_port, write_series

HOST = "127.0.0.1"


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `hilum certificates` makes: for us, and for a scanner."""
    folder = tmp_path_factory.mktemp("tls") / "trial"
    words = ["certificates", str(folder), "--host", HOST, "--host", "mr1"]
    made = CliRunner().invoke(app, words)
    assert made.exit_code == 0, made.output
    assert {file.stat().st_mode & 0o077 for file in folder.glob("*.key")} == {0}
    return folder


@pytest.mark.parametrize("name", ["ca", "../elsewhere", "a/CN=b", "", "-days"])
def test_a_certificate_is_made_for_machines_only(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "trial"
    refused = CliRunner().invoke(app, ["certificates", str(folder), f"--host={name}"])
    assert refused.exit_code != 0
    assert "no name or address of a machine" in str(refused.exception)
    assert not folder.exists()


def ours(folder: Path, name: str = HOST, **values: object) -> Tls:
    files = {"certificate_file": folder / f"{name}.pem", "key_file": folder / f"{name}.key"}
    return Tls(ca_file=folder / "ca.pem", **files, **values)


def listener(folder: Path, name: str = HOST) -> ListenerTls:
    return ListenerTls(**ours(folder, name).model_dump())


@pytest.fixture(scope="module")
def receiver(trial: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("receiver")
    tls = {"tls": listener(trial), "allowed_certificates": (HOST,)}
    with running_receiver(folder, **tls) as running:
        yield running


def reasons(receiver: Running) -> list[str]:
    return [event.rejection.reason for event in receiver.events if hasattr(event, "rejection")]


def test_images_come_over_mutual_tls(receiver: Running, trial: Path, tmp_path: Path) -> None:
    files = write_series(tmp_path / "scan", 5, size=600)  # more than one TLS record each
    before = len(receiver.images())
    report = sender.send(files, receiver.called, "MR1", tls=ours(trial))
    assert report.stored == 5, str(report)
    assert len(receiver.images()) == before + 5


def test_dcmtk_speaks_with_us(receiver: Running, trial: Path, tmp_path: Path) -> None:
    files = write_series(tmp_path / "scan", 3)
    words = ["storescu", "+tls", trial / f"{HOST}.key", trial / f"{HOST}.pem"]
    words += ["+cf", trial / "ca.pem", "-aec", receiver.called[0], HOST, str(receiver.port)]
    finished = subprocess.run([*words, *files], env=DCMTK, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr


def test_we_speak_with_dcmtk(trial: Path, tmp_path: Path) -> None:
    port = available_port()
    words = ["storescp", "+tls", trial / f"{HOST}.key", trial / f"{HOST}.pem"]
    words += ["+cf", trial / "ca.pem", "-od", tmp_path, str(port)]
    process = subprocess.Popen(words, env=DCMTK)
    try:
        wait_for_port(port)
        files = write_series(tmp_path / "scan", 3)
        report = sender.send(files, ("STORESCP", HOST, port), tls=ours(trial))
        assert report.stored == 3, str(report)
        with pytest.raises(DeliveryRefused, match="wants a certificate of ours"):
            sender.echo(("STORESCP", HOST, port), tls=Tls(ca_file=trial / "ca.pem"))
        with pytest.raises(DeliveryRefused, match="it speaks TLS, and we call it without"):
            sender.echo(("STORESCP", HOST, port))
    finally:
        process.kill()
        process.wait()


def test_whoever_calls_in_plain_is_told_and_so_are_we(receiver: Running, trial: Path) -> None:
    with pytest.raises(DeliveryRefused, match=r"and we call it without: give --tls-ca$"):
        sender.echo(receiver.called, "PLAIN")
    until(
        lambda: any("turn TLS on there" in reason for reason in reasons(receiver)),
        lambda: f"the rejection among {reasons(receiver)}",
    )


def test_a_certificate_that_is_not_on_the_list_is_rejected(receiver: Running, trial: Path) -> None:
    with pytest.raises(DeliveryRefused):
        sender.echo(receiver.called, tls=ours(trial, "mr1"))
    until(
        lambda: any("certificate of CN=mr1 is not among" in reason for reason in reasons(receiver)),
        lambda: f"the rejection among {reasons(receiver)}",
    )


@pytest.mark.parametrize("subject", ["mr1", "CN=mr1"])
def test_a_list_has_whole_subjects_or_common_names(
    trial: Path, tmp_path: Path, subject: str
) -> None:
    tls = {"tls": listener(trial), "allowed_certificates": (subject,)}
    with running_receiver(tmp_path, **tls) as running:
        sender.echo(running.called, tls=ours(trial, "mr1"))


ORGANIZATION = (("organizationName", "Hospital, North"),)


@pytest.mark.parametrize(
    ("parts", "allowed", "may_send"),
    [
        ((*ORGANIZATION, ("commonName", "mr1")), "mr1", True),
        ((*ORGANIZATION, ("commonName", "mr1")), r"CN=mr1,O=Hospital\, North", True),
        ((("organizationName", "Evil,CN=mr1"), ("commonName", "ct9")), "mr1", False),
        ((("commonName", "mr1,O=Hospital"),), "CN=mr1,O=Hospital", False),
        ((("commonName", "CN=mr1"),), "CN=mr1", False),
        ((("commonName", " mr1 "),), r"CN=\ mr1\ ", True),
        ((("organizationName", "mr1"),), "mr1", False),
        ((), "", False),
    ],
)
def test_nothing_inside_a_certificate_passes_for_another_one(
    parts: tuple[tuple[str, str], ...], allowed: str, may_send: bool
) -> None:
    assert CertificateSubject(parts).is_among((allowed,)) == may_send


def test_a_caller_who_is_gone_before_the_handshake_harms_nobody(
    receiver: Running, trial: Path
) -> None:
    """It left the beginning of a handshake behind, and a reset."""
    assert receiver.process.pid
    os.kill(receiver.process.pid, signal.SIGSTOP)
    try:
        for rest in (b"", b"\x16", b"\x16\x03\x01"):
            with socket.create_connection((HOST, receiver.port)) as gone:
                gone.sendall(rest)
                gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    finally:
        os.kill(receiver.process.pid, signal.SIGCONT)
    sender.echo(receiver.called, tls=ours(trial))


def receive_patiently(*given: Any) -> None:
    traffic.FIRST_MESSAGE_SECONDS = NEVER
    serve(*given)


def test_one_who_hangs_in_the_handshake_holds_up_nobody(trial: Path, tmp_path: Path) -> None:
    with (
        running_receiver(tmp_path, serve=receive_patiently, tls=listener(trial)) as receiver,
        socket.create_connection((HOST, receiver.port)) as silent,
    ):
        silent.sendall(b"\x16\x03\x01")  # the beginning of a handshake
        sender.echo(receiver.called, tls=ours(trial))
        assert not select.select([silent], [], [], 0)[0], "it hangs still"


def test_who_is_not_trusted_or_named_otherwise_is_said(
    receiver: Running, trial: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    CliRunner().invoke(app, ["certificates", str(other), "--host", HOST])
    with pytest.raises(DeliveryRefused, match=r"not trusted .*name who signed it in --tls-ca$"):
        sender.echo(receiver.called, tls=Tls(ca_file=other / "ca.pem"))
    stranger = ours(other).model_copy(update={"ca_file": trial / "ca.pem"})
    with pytest.raises(DeliveryRefused, match="does not trust our certificate"):
        sender.echo(receiver.called, tls=stranger)
    with running_receiver(tmp_path / "named", tls=listener(trial, "mr1")) as running:
        with pytest.raises(DeliveryRefused, match=r"by the name in its certificate$"):
            sender.echo(running.called, tls=ours(trial))
        with pytest.raises(DeliveryRefused, match=r"another name: .* tls\.check_host = false"):
            echo(Peer(*running.called, "SCANNER", tls=ours(trial)))
        sender.echo(running.called, tls=ours(trial, check_host=False))


def test_tls_to_a_plain_port_is_told_on_both_sides(trial: Path, tmp_path: Path) -> None:
    with running_receiver(tmp_path) as running:
        with pytest.raises(DeliveryDelayed, match="perhaps it does not speak TLS, and we do"):
            sender.echo(running.called, tls=ours(trial))
        until(
            lambda: any("set receiver.tls" in reason for reason in reasons(running)),
            lambda: f"the rejection among {reasons(running)}",
        )


def greets(context: ssl.SSLContext, connection: socket.socket) -> ssl.SSLSocket:
    return context.wrap_socket(connection, server_side=True)


@pytest.mark.parametrize(
    "answer",
    [
        lambda _context, _connection: None,  # it is stopped, and the kernel has taken the call
        greets,  # and is silent from then on
        lambda context, connection: greets(context, connection).close(),  # stunnel: no archive
        lambda _context, connection: connection.close(),  # a proxy without its archive
    ],
)
def test_one_that_is_busy_or_starts_is_waited_for(
    trial: Path,
    answer: Callable[[ssl.SSLContext, socket.socket], object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It speaks TLS, as far as one can know: a refusal would wait for a person."""
    monkeypatch.setattr("hilum.transport.scu.PROBE_SECONDS", 0.5)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(trial / f"{HOST}.pem", trial / f"{HOST}.key")
    with socket.create_server((HOST, 0)) as archive:
        held: list[object] = []

        def serve() -> None:
            with suppress(OSError):  # the test is over, or the caller is gone
                while True:
                    connection, _ = archive.accept()
                    held.extend((connection, answer(context, connection)))

        threading.Thread(target=serve, daemon=True).start()
        peer = Peer("PACS", HOST, archive.getsockname()[1], "HILUM", 0.5, ours(trial))
        with pytest.raises(DeliveryDelayed):
            echo(peer)


def test_one_that_speaks_only_old_tls_is_not_called_plain(trial: Path) -> None:
    words = ["openssl", "s_server", "-accept", str(port := available_port()), "-tls1_1", "-quiet"]
    words += ["-cert", str(trial / f"{HOST}.pem"), "-key", str(trial / f"{HOST}.key")]
    with subprocess.Popen([*words, "-cipher", "DEFAULT@SECLEVEL=0"]) as server:
        try:
            wait_for_port(port)
            with pytest.raises(DeliveryRefused, match=r"offers no TLS 1\.2 or newer: update it"):
                sender.echo(("PACS", HOST, port), tls=ours(trial))
        finally:
            server.kill()


def test_a_key_with_a_passphrase_is_refused_and_nobody_is_asked_for_it(
    trial: Path, tmp_path: Path
) -> None:
    key = tmp_path / "secret key"
    plain = trial / f"{HOST}.key"
    locked = ["openssl", "pkey", "-in", plain, "-aes256", "-passout", "pass:sesame", "-out", key]
    subprocess.run(locked, check=True)
    tls = Tls(certificate_file=trial / f"{HOST}.pem", key_file=key)
    with pytest.raises(ConfigurationError, match=r"^key_file: .* has a passphrase") as refused:
        tls.check()
    with pytest.raises(ConfigurationError, match="a file of tls cannot be used"):
        client_context(tls)
    cure = str(refused.value).split("`")[1]
    subprocess.run([*shlex.split(cure), "-passin", "pass:sesame"], check=True)
    cured = tmp_path / "secret key.plain"
    Tls(certificate_file=trial / f"{HOST}.pem", key_file=cured).check()


def test_a_renewed_certificate_needs_no_restart(trial: Path, tmp_path: Path) -> None:
    folder = tmp_path / "renewed"
    CliRunner().invoke(app, ["certificates", str(folder), "--host", "mr1", "--host", HOST])
    for ending in (".pem", ".key"):  # at first, those of another machine
        (folder / f"now{ending}").write_bytes((folder / f"mr1{ending}").read_bytes())
    (folder / "now.key").chmod(0o600)
    with running_receiver(tmp_path / "receiver", tls=listener(folder, "now")) as running:
        with pytest.raises(DeliveryRefused, match="another name"):
            sender.echo(running.called, tls=ours(folder))
        (folder / "now.pem").write_bytes((folder / f"{HOST}.pem").read_bytes())
        with pytest.raises(DeliveryDelayed, match="put a certificate and its own key"):
            sender.echo(running.called, tls=ours(folder, "now"))  # the key is yet to come
        for ending in (".pem", ".key"):
            (folder / f"now{ending}").write_bytes((folder / f"{HOST}{ending}").read_bytes())
        sender.echo(running.called, tls=ours(folder))


def test_files_that_cannot_be_used_are_named(trial: Path, tmp_path: Path) -> None:
    odd = tmp_path / "odd.pem"
    odd.write_text("nothing")
    files = {"certificate_file": trial / f"{HOST}.pem", "key_file": trial / "mr1.key"}
    for tls, cure in (
        (Tls(ca_file=odd), "no certificate in PEM form"),
        (Tls(ca_file=tmp_path / "none.pem"), "cannot read"),
        (Tls(**files), "name the key of this certificate"),
    ):
        with pytest.raises(ConfigurationError, match=cure):
            tls.check()
    with pytest.raises(ValueError, match="belong together"):
        Tls(certificate_file=odd)
    with pytest.raises(ValueError, match=r"allowed_certificates needs tls\.ca_file"):
        Receiver(allowed_certificates=("mr1",))


def test_the_end_of_a_certificate_is_known(trial: Path) -> None:
    end = ends_at(ours(trial))
    assert end is not None
    assert 89 * 86400 < end - time.time() < 91 * 86400


def test_send_and_echo_speak_tls(receiver: Running, trial: Path, tmp_path: Path) -> None:
    write_series(tmp_path / "scan", 2)
    tls = ["--tls-ca", str(trial / "ca.pem")]
    tls += ["--tls-certificate", str(trial / f"{HOST}.pem")]
    tls += ["--tls-key", str(trial / f"{HOST}.key")]
    peer = f"{receiver.called[0]}@{HOST}:{receiver.port}"
    for words in (["echo", peer], ["send", str(tmp_path / "scan"), "--to", peer]):
        done = CliRunner().invoke(app, [*words, *tls])
        assert done.exit_code == 0, done.output
