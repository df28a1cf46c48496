"""The receiver as a real process, DCMTK's tools and our scanner as peers."""

import os
import random
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import (
    ComprehensiveSRStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    KeyObjectSelectionDocumentStorage,
    RLELossless,
    SecondaryCaptureImageStorage,
    generate_uid,
)

from hilum.errors import DeliveryDelayed
from hilum.inbox import quarantined_in
from hilum.inbox.assessments import slips_in
from hilum.inbox.starts import Starts
from hilum.processes.hints import Aborted, Assessed, Quarantined, Rejected, Released, Stored
from hilum.transport import sender
from hilum_lab.disk import Mount, filled
from hilum_lab.network.processes import available_port, listens
from tests.patience import PATIENCE, until
from tests.synthetic import (
    DCMTK,
    Running,
    dataset_bytes,
    image,
    running_receiver,
    uid,
    wait_for_port,
    write_series,
)


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Running]:
    with running_receiver(tmp_path / "receiver") as running:
        yield running


def _dcmsend(receiver: Running, files: list[Path]) -> None:
    command = ["dcmsend", "-aec", "HIPPOAI", "127.0.0.1", str(receiver.port)]
    subprocess.run([*command, *map(str, files)], env=DCMTK, check=True, timeout=PATIENCE)


def _connect(receiver: Running) -> socket.socket:
    return socket.create_connection(("127.0.0.1", receiver.port))


def _by_uid(files: list[Path]) -> dict[str, bytes]:
    return {uid(path): dataset_bytes(path) for path in files}


def test_dcmtk_verifies_the_connection(receiver: Running) -> None:
    command = ["echoscu", "-aec", "HIPPOAI", "127.0.0.1", str(receiver.port)]
    subprocess.run(command, check=True, timeout=PATIENCE)


@pytest.mark.parametrize("tool", ["dcmsend", "storescu"])
def test_dcmtk_stores_byte_for_byte(receiver: Running, tmp_path: Path, tool: str) -> None:
    files = write_series(tmp_path / "scan", 5)
    command = [tool, "-aec", "HIPPOAI", "-aet", "MR1", "127.0.0.1", str(receiver.port)]
    subprocess.run([*command, *map(str, files)], env=DCMTK, check=True, timeout=PATIENCE)
    assert _by_uid(receiver.images()) == _by_uid(files)
    meta = pydicom.dcmread(receiver.images()[0]).file_meta
    assert meta.SourceApplicationEntityTitle == "MR1"


def test_hints_tell_the_story_of_an_association(receiver: Running, tmp_path: Path) -> None:
    files = write_series(tmp_path / "scan", 3)
    sender.send(files, receiver.called, "MR1")
    (released,) = receiver.wait_for(Released)
    assert receiver.events[-1] == released
    stored = receiver.wait_for(Stored)
    assert len(receiver.events) == len(stored) + 1 == 4
    assert {hint.caller for hint in (*stored, released)} == {"MR1"}
    assert {hint.association for hint in stored} == {released.association}
    assert {hint.path for hint in stored} == set(receiver.images())
    assert {hint.study for hint in stored} == {str(pydicom.dcmread(files[0]).StudyInstanceUID)}


def test_what_was_answered_survives_a_kill(tmp_path: Path) -> None:
    files = write_series(tmp_path / "scan", 60, size=256)
    answered: list[str] = []
    with running_receiver(tmp_path / "receiver") as receiver:

        def kill_in_the_middle(sent: sender.Sent) -> None:
            assert sent.status == 0
            answered.append(uid(sent.path))
            if len(answered) == 25:
                threading.Timer(0.02, receiver.process.kill).start()

        with pytest.raises(DeliveryDelayed):
            sender.send(files, receiver.called, progress=kill_in_the_middle)
        receiver.process.join(PATIENCE)
        assert receiver.process.exitcode == -signal.SIGKILL
        kept = _by_uid(receiver.images())  # reads every one of them
        sent = _by_uid(files)
        assert set(answered) <= set(kept)
        assert all(sent[instance] == content for instance, content in kept.items())


def test_a_pause_between_two_receivers_is_known_as_ours(tmp_path: Path) -> None:
    files = write_series(tmp_path / "scan", 2)
    for count in (1, 2):
        with running_receiver(tmp_path / "receiver") as receiver:
            sender.send(files[count - 1 : count], receiver.called)
            first, *rest = sorted(path.stat().st_mtime for path in receiver.images())
    assert Starts(receiver.data).lie_between(first, *rest)


@pytest.fixture
def disk(small_disk: Mount) -> Iterator[Path]:
    with small_disk(3) as disk:
        yield disk


def test_a_full_disk_is_answered_with_out_of_resources(tmp_path: Path, disk: Path) -> None:
    files = write_series(tmp_path / "scan", 10, size=512)  # 0.5 MiB each
    with running_receiver(tmp_path / "receiver", data=disk / "data") as receiver:
        report = sender.send(files, receiver.called)
        statuses = [sent.status for sent in report.files]
        assert set(statuses) == {0x0000, 0xA700}
        assert receiver.partial() == []
        assert receiver.quarantined() == []
        taken = [path for path, status in zip(files, statuses, strict=True) if status == 0]
        assert _by_uid(receiver.images()) == _by_uid(taken)
        assert receiver.wait_for(Rejected)[0].rejection.reason == (
            "0xA700: No space left on device; it may send again later"
        )


def test_a_disk_that_has_room_again_is_used_again(tmp_path: Path, disk: Path) -> None:
    """The log says once that images are refused, and once that they are stored again."""
    files = write_series(tmp_path / "scan", 6, size=512)
    log = disk / "data" / "logs" / "hilum.log"
    log.parent.mkdir(parents=True)
    log.write_text("as it has run before\n")  # so its last block on the full disk has room
    with running_receiver(tmp_path / "receiver", data=disk / "data", low_water_mb=1) as receiver:
        with filled(disk):
            refused = sender.send(files, receiver.called)
            assert {sent.status for sent in refused.files} == {0xA700}
            assert receiver.partial() == []
            assert receiver.images() == []

        def stored_again() -> bool:
            taken = sender.send(files[:3], receiver.called)
            assert {sent.status for sent in taken.files} == {0}
            return "images are stored again" in receiver.log

        until(stored_again, "the end of the refusals")
    lines = receiver.log.splitlines()
    assert sum("images are refused (0xA700): No space left" in line for line in lines) == 1
    assert sum("images are stored again" in line for line in lines) == 1


def test_below_the_low_water_mark_nothing_is_taken(tmp_path: Path) -> None:
    files = write_series(tmp_path / "scan", 2)
    with running_receiver(tmp_path / "receiver", low_water_mb=1 << 40) as receiver:
        report = sender.send(files, receiver.called)
        assert [sent.status for sent in report.files] == [0xA700, 0xA700]
        assert receiver.images() == []


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGLSLossless, RLELossless])
def test_compressed_images_are_kept_as_they_are(
    receiver: Running, tmp_path: Path, syntax: str
) -> None:
    study = generate_uid(prefix=None)
    dataset = image(study, generate_uid(prefix=None))
    dataset.compress(syntax, generate_instance_uid=False)
    path = tmp_path / "compressed.dcm"
    dataset.save_as(path, enforce_file_format=True)
    report = sender.send([path], receiver.called)
    assert report.stored == 1
    assert _by_uid(receiver.images()) == _by_uid([path])
    assert pydicom.dcmread(receiver.images()[0]).file_meta.TransferSyntaxUID == syntax


def test_deflated_is_not_accepted(receiver: Running, tmp_path: Path) -> None:
    path = write_series(tmp_path / "scan", 1)[0]
    deflated = tmp_path / "deflated.dcm"
    subprocess.run(["dcmconv", "+td", str(path), str(deflated)], check=True)
    plain, other = write_series(tmp_path / "other", 2)
    report = sender.send([deflated, plain, other], receiver.called)
    assert [sent.status for sent in report.files] == [0xC122, 0, 0]
    assert len(receiver.images()) == 2


@pytest.mark.parametrize("sop_class", ["1.3.12.2.1107.5.9.1", "1.2.840.10008.5.1.4.1.1.999"])
def test_private_and_unknown_storage_classes(
    receiver: Running, tmp_path: Path, sop_class: str
) -> None:
    files = write_series(tmp_path / "scan", 2, SOPClassUID=sop_class)
    assert sender.send(files, receiver.called).stored == 2
    assert _by_uid(receiver.images()) == _by_uid(files)


def test_an_absurd_pdu_length_is_cut_off(receiver: Running) -> None:
    of_process = Path(f"/proc/{receiver.process.pid}")
    (of_process / "clear_refs").write_text("5")  # the peak is counted from here on
    before = _peak(of_process)
    with _connect(receiver) as connection:
        connection.sendall(b"\x01\x00\xff\xff\xff\xf0")
        connection.settimeout(PATIENCE)
        assert connection.recv(64) == b""
    assert "more than 524288 bytes" in receiver.wait_for(Rejected)[0].rejection.reason
    assert _peak(of_process) - before < 50_000  # kB
    sender.echo(receiver.called)


def _peak(of_process: Path) -> int:
    """The most memory in kB that a process held at one time."""
    return int((of_process / "status").read_text().split("VmHWM:")[1].split()[0])


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One object of 162 MB."""
    return write_series(tmp_path_factory.mktemp("large"), 1, size=9000)[0]


def test_a_large_object_is_on_the_disk_while_it_arrives(tmp_path: Path, large: Path) -> None:
    """It is larger than all memory that the receiver may take for objects on their way."""
    with running_receiver(tmp_path / "receiver", memory_mb=256) as receiver:
        before = _own_memory(receiver)
        assert [sent.status for sent in sender.send([large], receiver.called, "CT1").files] == [0]
        assert _by_uid(receiver.images()) == _by_uid([large])
        (kept,) = receiver.images()
        meta = pydicom.dcmread(kept, stop_before_pixels=True).file_meta
        assert meta.SourceApplicationEntityTitle == "CT1"
        assert meta.ImplementationVersionName.startswith("HILUM")
        assert kept.stat().st_nlink == 1
        assert receiver.partial() == []
        again = sender.send([large], receiver.called)
        assert [sent.status for sent in again.files] == [0]
        assert _own_memory(receiver) - before < 60_000  # kB
        assert receiver.quarantined() == []


def test_a_large_object_with_other_content_or_none_that_is_read_is_quarantined(
    tmp_path: Path, large: Path
) -> None:
    content = large.read_bytes()
    other, broken = tmp_path / "other.dcm", tmp_path / "broken.dcm"
    other.write_bytes(content[:-2] + b"xx")
    start = len(content) - len(dataset_bytes(large))
    broken.write_bytes(content[:start] + b"\x08\x00\x05\x00CS\xff\xff" + content[start + 8 :])
    with running_receiver(tmp_path / "receiver", memory_mb=256) as receiver:
        report = sender.send([large, other, broken], receiver.called)
        assert [sent.status for sent in report.files] == [0, 0xB000, 0xC000]
        assert _by_uid(receiver.images()) == _by_uid([large])
        apart = {dataset_bytes(path) for path in receiver.quarantined()}
        assert apart == {dataset_bytes(other), dataset_bytes(broken)}
        assert receiver.partial() == []


def test_a_large_object_that_breaks_off_leaves_nothing(tmp_path: Path, large: Path) -> None:
    with running_receiver(tmp_path / "receiver") as receiver:
        sending = ["storescu", "-aec", "HIPPOAI", "127.0.0.1", str(receiver.port), str(large)]
        with subprocess.Popen(sending, env=DCMTK) as storescu:
            until(lambda: bool(receiver.partial()), "its first bytes")
            storescu.kill()
        until(lambda: receiver.partial() == [], "its end")
        assert receiver.images() == receiver.quarantined() == []


def test_a_large_object_on_a_full_disk_is_answered(tmp_path: Path, disk: Path, large: Path) -> None:
    small = write_series(tmp_path / "scan", 1)
    with running_receiver(tmp_path / "receiver", data=disk / "data") as receiver:
        report = sender.send([large, *small], receiver.called)
        assert [sent.status for sent in report.files] == [0xA700, 0]
        assert receiver.partial() == []


def _own_memory(receiver: Running) -> int:
    """Memory of the receiver in kB, without what it sees of files."""
    status = Path(f"/proc/{receiver.process.pid}/status").read_text()
    return int(status.split("RssAnon:")[1].split()[0])


def test_garbage_leaves_the_receiver_alive(receiver: Running) -> None:
    for content in (
        b"GET / HTTP/1.0\r\n\r\n",
        b"\x01\x00\x00\x00\x00\x04abcd",
        b"\x04",
        os.urandom(99),
    ):
        with _connect(receiver) as connection:
            connection.sendall(content)
    sender.echo(receiver.called)


def test_a_lost_connection_is_reported(receiver: Running, tmp_path: Path) -> None:
    files = write_series(tmp_path / "scan", 2)
    command = ["storescu", "--abort", "-aec", "HIPPOAI", "127.0.0.1", str(receiver.port)]
    subprocess.run([*command, *map(str, files)], env=DCMTK, check=True, timeout=PATIENCE)
    assert receiver.wait_for(Aborted)[0].reason
    assert len(receiver.images()) == 2


@pytest.mark.parametrize(
    ("settings", "called", "reason", "cured"),
    [
        (
            {},
            "WRONG",
            "called AE title WRONG is not ours (HIPPOAI)",
            {"require_called_ae_title": False},
        ),
        (
            {"allowed_callers": ("MR1",)},
            "HIPPOAI",
            "calling AE title SCANNER is not among receiver.allowed_callers: correct the sender,",
            {"allowed_callers": ("MR1", "SCANNER")},
        ),
        (
            {"allowed_hosts": ("192.0.2.0/24",)},
            "HIPPOAI",
            "address 127.0.0.1 is not among",
            {"allowed_hosts": ("192.0.2.0/24", "127.0.0.1")},
        ),
    ],
)
def test_refused_callers_are_told_with_the_reason_and_the_cure(
    tmp_path: Path,
    settings: dict[str, object],
    called: str,
    reason: str,
    cured: dict[str, object],
) -> None:
    def echo(port: int) -> int:
        command = ["echoscu", "-aet", "SCANNER", "-aec", called, "127.0.0.1", str(port)]
        return subprocess.run(command, capture_output=True, timeout=PATIENCE).returncode

    with running_receiver(tmp_path / "receiver", **settings) as receiver:
        assert echo(receiver.port) != 0
        (said,) = {hint.rejection.reason for hint in receiver.wait_for(Rejected)}
    assert reason in said
    assert "restart" not in said  # changed settings are followed
    with running_receiver(tmp_path / "receiver", **cured) as receiver:
        assert echo(receiver.port) == 0


def test_an_allowed_network_may_connect(tmp_path: Path) -> None:
    with running_receiver(tmp_path, allowed_hosts=("192.0.2.7", "127.0.0.1/8")) as receiver:
        sender.echo(receiver.called)


def test_port_probes_take_no_place(tmp_path: Path) -> None:
    with running_receiver(tmp_path / "receiver", max_associations=1) as receiver:
        for _ in range(20):
            _connect(receiver).close()
        with ExitStack() as idle:
            for _ in range(8):
                idle.enter_context(_connect(receiver))
            sender.echo(receiver.called)


def test_too_many_idle_connections_are_refused(tmp_path: Path) -> None:
    with (
        running_receiver(tmp_path / "receiver", max_associations=1) as receiver,
        ExitStack() as idle,
    ):
        for _ in range(40):
            idle.enter_context(_connect(receiver))
        assert (
            "connections of this host are open" in receiver.wait_for(Rejected)[0].rejection.reason
        )


def test_too_many_associations_are_refused(tmp_path: Path) -> None:
    files = write_series(tmp_path / "scan", 2)
    with running_receiver(tmp_path / "receiver", max_associations=1) as receiver:

        def second(_: sender.Sent) -> None:
            with pytest.raises(DeliveryDelayed, match="busy"):
                sender.echo(receiver.called)

        sender.send(files, receiver.called, progress=second)
        assert (
            "1 associations of this host are open already"
            in receiver.wait_for(Rejected)[0].rejection.reason
        )


def test_two_senders_of_the_same_images(receiver: Running, tmp_path: Path) -> None:
    files = write_series(tmp_path / "scan", 40)
    senders = [threading.Thread(target=_dcmsend, args=(receiver, files)) for _ in range(2)]
    for one in senders:
        one.start()
    for one in senders:
        one.join()
    assert _by_uid(receiver.images()) == _by_uid(files)
    assert receiver.quarantined() == []
    stored = [hint.path for hint in receiver.wait_for(Stored)]  # hints may be lost
    assert len(stored) == len(set(stored))


def test_the_same_uid_with_other_content_is_quarantined(receiver: Running, tmp_path: Path) -> None:
    study, series = generate_uid(prefix=None), generate_uid(prefix=None)
    first, second = tmp_path / "1.dcm", tmp_path / "2.dcm"
    image(study, series).save_as(first, enforce_file_format=True)
    image(study, series, SeriesDescription="changed").save_as(second, enforce_file_format=True)
    report = sender.send([first, second, first], receiver.called)
    assert [sent.status for sent in report.files] == [0x0000, 0xB000, 0x0000]
    assert _by_uid(receiver.images()) == _by_uid([first])
    assert _by_uid(receiver.quarantined()) == _by_uid([second])
    (hint,) = receiver.wait_for(Quarantined)
    assert "other content" in hint.reason
    assert hint.study == study
    total, (listed,) = quarantined_in(receiver.data, newest=10)
    assert (total, listed.sender, listed.study_uid) == (1, "SCANNER", study)
    assert listed.reason == hint.reason
    assert [listed.path] == receiver.quarantined()


@pytest.mark.parametrize("keyword", ["SOPInstanceUID", "StudyInstanceUID"])
@pytest.mark.parametrize("hostile", [b"../../x", b"MARKER^NAME"])
def test_hostile_uids_never_become_paths(
    receiver: Running, tmp_path: Path, keyword: str, hostile: bytes
) -> None:
    path = write_series(tmp_path / "scan", 1)[0]
    original = str(pydicom.dcmread(path)[keyword].value).encode()
    padded = hostile.ljust(len(original), b"\0")
    path.write_bytes(path.read_bytes().replace(original, padded))
    report = sender.send([path], receiver.called)
    assert [sent.status for sent in report.files] == [0xC000]
    assert receiver.images() == []
    assert len(receiver.quarantined()) == 1


def test_a_data_set_in_another_syntax_than_negotiated_is_put_right(
    receiver: Running, tmp_path: Path
) -> None:
    (path,) = write_series(tmp_path / "scan", 1)
    explicit, implicit = str(ExplicitVRLittleEndian).encode(), str(ImplicitVRLittleEndian).encode()
    assert explicit in path.read_bytes()[:400]
    negotiated = implicit.ljust(len(explicit), b"\0")
    path.write_bytes(path.read_bytes().replace(explicit, negotiated, 1))
    assert [sent.status for sent in sender.send([path], receiver.called).files] == [0]
    (kept,) = receiver.images()
    read = pydicom.dcmread(kept)
    assert read.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert read.pixel_array.shape == (64, 64)
    (told,) = receiver.wait_for(Stored)
    assert "it says Implicit VR Little Endian" in told.reason


def test_a_request_that_names_another_instance_is_refused(
    receiver: Running, tmp_path: Path
) -> None:
    path, other = write_series(tmp_path / "scan", 2)
    head, tail = path.read_bytes()[:600], path.read_bytes()[600:]
    assert head.count(uid(path).encode()) == 2  # file meta group, data set
    path.write_bytes(head.replace(uid(path).encode(), uid(other).encode(), 1) + tail)
    assert [sent.status for sent in sender.send([path], receiver.called).files] == [0xA900]
    assert len(receiver.quarantined()) == 1


def test_a_request_that_names_another_class_is_refused(receiver: Running, tmp_path: Path) -> None:
    path = tmp_path / "image.dcm"
    dataset = image(generate_uid(prefix=None), generate_uid(prefix=None))
    dataset.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    dataset.preamble = b"\0" * 128
    dataset.save_as(path)
    assert [sent.status for sent in sender.send([path], receiver.called).files] == [0xA900]


def test_an_unreadable_object_is_quarantined(receiver: Running, tmp_path: Path) -> None:
    path = write_series(tmp_path / "scan", 1)[0]
    content = path.read_bytes()
    start = len(content) - len(dataset_bytes(path))
    path.write_bytes(content[:start] + b"\x08\x00\x05\x00CS\xff\xff" + os.urandom(300))
    assert [sent.status for sent in sender.send([path], receiver.called).files] == [0xC000]
    assert len(receiver.quarantined()) == 1


@pytest.mark.parametrize("share", [0.2, 0.5, 0.99])
def test_a_truncated_file_is_quarantined_and_the_next_study_is_taken(
    receiver: Running, tmp_path: Path, share: float
) -> None:
    cut, *good = write_series(tmp_path / "scan", 3)
    content = cut.read_bytes()
    cut.write_bytes(content[: 400 + int(share * (len(content) - 400))])
    report = sender.send([cut, *good], receiver.called)
    assert [sent.status for sent in report.files] == [0xC000, 0, 0]
    (total, (listed,)) = quarantined_in(receiver.data, newest=10)
    assert total == 1
    assert "in the middle of an element" in listed.reason


def test_many_associations_and_broken_ones_leave_the_memory_flat(
    receiver: Running, tmp_path: Path
) -> None:
    """1,000 of them (and 600 broken streams) were measured once: 93.2 MB before, 93.9 MB after."""
    files = write_series(tmp_path / "scan", 1)
    stream = _stream_of(receiver, files)

    def go_through(count: int) -> None:
        for seed in range(count):
            sender.send(files, receiver.called)
            _send_broken(receiver, stream, random.Random(seed))

    go_through(20)
    before = _resident(receiver)
    go_through(60)
    assert _resident(receiver) - before < 4000  # kB
    good = write_series(tmp_path / "good", 3)
    assert sender.send(good, receiver.called).stored == 3


def _stream_of(receiver: Running, files: list[Path]) -> bytes:
    """What a sender of `files` says, byte by byte."""
    stream = bytearray()
    with socket.create_server(("127.0.0.1", 0)) as server:
        called = (receiver.settings.ae_title, *server.getsockname())
        calling = threading.Thread(target=sender.send, args=(files, called))
        calling.start()
        theirs, ours = server.accept()[0], _connect(receiver)
        with theirs, ours:
            back = threading.Thread(target=_pass_on, args=(ours, theirs))
            back.start()
            while data := theirs.recv(1 << 16):
                stream += data
                ours.sendall(data)
            ours.shutdown(socket.SHUT_WR)
            back.join()
        calling.join()
    return bytes(stream)


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)


def _send_broken(receiver: Running, stream: bytes, chance: random.Random) -> None:
    """Change some bytes of `stream`, mostly lengths, perhaps cut it off, and hang up."""
    odd = bytearray(stream)
    for _ in range(chance.choice([1, 2, 8])):
        place = chance.randrange(min(len(odd) - 4, 1500))
        odd[place : place + 4] = chance.choice(
            [b"\xff\xff\xff\xf0", b"\x7f\xff\xff\xff", b"\0\0\0\0", chance.randbytes(4)]
        )
    with _connect(receiver) as connection, suppress(OSError):
        connection.settimeout(0.05)
        connection.sendall(odd[: chance.choice([len(odd), chance.randrange(len(odd))])])
        connection.recv(1 << 16)


def _resident(receiver: Running) -> int:
    """Memory of the receiver in kB."""
    status = Path(f"/proc/{receiver.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


def test_sigterm_lets_the_running_association_finish(receiver: Running, tmp_path: Path) -> None:
    files = write_series(tmp_path / "scan", 20)

    def stop(sent: sender.Sent) -> None:
        if sent.path == files[2]:
            receiver.process.terminate()

    assert sender.send(files, receiver.called, progress=stop).stored == 20
    receiver.process.join(PATIENCE)
    assert receiver.process.exitcode == 0


PARENT = """
import sys, time
from pathlib import Path
from hilum.config.site import Receiver
from hilum.processes.process import fork_server
from hilum.service.receiver import receive
if __name__ == "__main__":
    folder = Path(sys.argv[2])
    settings = Receiver(port=int(sys.argv[1]), low_water_mb=0)
    receiver = (settings, folder / "data", folder / "hints")
    fork_server("hilum.service.receiver").Process(target=receive, args=receiver).start()
    time.sleep(60)
"""


def test_it_does_not_outlive_its_parent(tmp_path: Path) -> None:
    port = available_port()
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    parent = subprocess.Popen([sys.executable, str(script), str(port), str(tmp_path)])
    wait_for_port(port)
    parent.kill()
    parent.wait()
    until(lambda: not listens(port), "the end of the receiver")


def test_what_may_say_what_a_reader_thinks_is_kept_with_who_sent_it(tmp_path: Path) -> None:
    classes = {
        "KO": KeyObjectSelectionDocumentStorage,
        "SR": ComprehensiveSRStorage,
        "OT": SecondaryCaptureImageStorage,
    }
    files = [
        file
        for modality, sop_class in classes.items()
        for file in write_series(tmp_path / modality, 1, SOPClassUID=sop_class, Modality=modality)
    ]
    with running_receiver(tmp_path / "receiver", assessments_from=("VIEWER",)) as receiver:
        for caller in ("VIEWER", "SCANNER", "VIEWER"):
            command = ["storescu", "-aet", caller, "-aec", "HIPPOAI", "127.0.0.1"]
            command += [str(receiver.port), *map(str, files)]
            subprocess.run(command, env=DCMTK, check=True, timeout=PATIENCE)
        receiver.wait_for(Assessed, 2)
        kept = [slip for _, slip in slips_in(receiver.data)]
    assert {(slip.caller, slip.address) for slip in kept} == {("VIEWER", "127.0.0.1")}
    stated = [pydicom.dcmread(receiver.data / slip.path).Modality for slip in kept]
    assert sorted(stated) == ["KO", "SR"]
