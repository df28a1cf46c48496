import ctypes
import errno
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import pydicom
import pytest
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage
from pynetdicom import AE, evt
from pynetdicom.events import Event

from hilum.config import load
from hilum.errors import MissingPartError
from hilum.hosts.discovery import installed_modules
from hilum.sources import autoroute
from hilum.sources.autoroute import Listener
from hilum.transport import sender
from hilum_lab.network import exam, orthanc
from hilum_lab.network.processes import addresses_of, available_port, in_words, listens
from tests.archives import Orthanc
from tests.patience import until


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = exam.make_exam(tmp_path_factory.mktemp("exam"), series=["HippoCrop"])
    return sorted(folder.rglob("*.dcm"))


def no_delay(event: Event) -> None:
    event.assoc.dul.socket.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def send(pacs: Orthanc, images: list[Path]) -> list[int]:
    """C-STORE `images`; return the statuses."""
    report = sender.send(images, (pacs.ae_title, "127.0.0.1", pacs.dicom_port))
    return [sent.status for sent in report.files]


@contextmanager
def listener() -> Iterator[tuple[int, list[str]]]:
    """A storage SCP; yields its port and the SOP Instance UIDs it got."""
    received: list[str] = []

    def store(event: Event) -> int:
        received.append(str(event.request.AffectedSOPInstanceUID))
        return 0

    scp = AE("LISTENER")
    scp.add_supported_context(MRImageStorage, ExplicitVRLittleEndian)
    handlers = [(evt.EVT_CONN_OPEN, no_delay), (evt.EVT_C_STORE, store)]
    server = scp.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    try:
        yield server.socket.getsockname()[1], received
    finally:
        server.shutdown()


def test_stores_routes_and_serves_dicomweb(tmp_path: Path, images: list[Path]) -> None:
    with listener() as (port, received):
        route = ("LISTENER", "127.0.0.1", port)
        with Orthanc(tmp_path, route_to=route) as pacs:
            assert set(send(pacs, images)) == {0}
            until(lambda: len(received) >= len(images), "the routed images")
            study = httpx.get(f"{pacs.dicomweb_url}/studies").json()[0]
    assert study["0020000D"]["Value"] == [exam.study_uid()]
    uids = [pydicom.dcmread(path).SOPInstanceUID for path in images]
    assert sorted(received) == sorted(uids)


def init(folder: Path) -> Path:
    """The settings that `hilum init` writes."""
    command = [sys.executable, "-m", "hilum", "init"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder / "hilum.toml"


def test_what_init_writes_makes_an_orthanc_route_here(tmp_path: Path, images: list[Path]) -> None:
    """A modality with another name than the script's lost every image in silence."""
    file = init(tmp_path)
    site = load(file)
    assert {rule.module for rule in site.rule} == set(installed_modules())
    assert all(rule.send_to == ("pacs",) for rule in site.rule)
    lines = [line[1:] for line in file.read_text().splitlines() if line.startswith("#   ")]
    settings, _ = json.JSONDecoder().raw_decode("".join(lines).lstrip())  # comments follow
    receiver = site.receiver
    [[name, written]] = settings["DicomModalities"].items()
    assert written == [receiver.ae_title, receiver.host, receiver.port]
    with listener() as (port, received):
        settings["DicomModalities"] = {name: [*written[:2], port]}
        with Orthanc(tmp_path / "orthanc", settings=settings) as pacs:
            assert set(send(pacs, images)) == {0}
            until(lambda: len(received) >= len(images), "the routed images")
    assert len(received) == len(images)


def test_script_code_and_guide_call_the_modality_the_same() -> None:
    guide = Path(__file__).parents[2] / "docs" / "how-to" / "connect-your-pacs.md"
    assert f"MODALITY = '{autoroute.MODALITY}'\n" in autoroute.SCRIPT.read_text()
    assert f'"DicomModalities": {{ "{autoroute.MODALITY}": ["HIPPOAI",' in guide.read_text()


def test_a_modality_with_another_name_is_told_when_orthanc_starts(tmp_path: Path) -> None:
    settings = autoroute.routing(Listener("HIPPOAI", "127.0.0.1", available_port()))
    settings["DicomModalities"] = {"hilum": ["HIPPOAI", "127.0.0.1", available_port()]}
    told = 'Hilum gets no images: "DicomModalities" has no entry called "listener"'
    with Orthanc(tmp_path, settings=settings):
        log = tmp_path / "orthanc.log"
        until(lambda: told in log.read_text(), log.read_text)


def test_images_survive_a_power_cut(tmp_path: Path, images: list[Path]) -> None:
    pacs = Orthanc(tmp_path).start()
    send(pacs, images)
    pacs.kill()
    with pacs:
        assert httpx.get(f"{pacs.url}/statistics").json()["CountInstances"] == len(images)


PIDFD_GETFD = 438  # the number of this call of Linux


@contextmanager
def sockets_of(pid: int) -> Iterator[list[socket.socket]]:
    """The open sockets of another process, shared with it."""
    call = ctypes.CDLL(None, use_errno=True).syscall
    process = os.pidfd_open(pid)
    with ExitStack() as stack:
        stack.callback(os.close, process)
        found = []
        for file in Path(f"/proc/{pid}/fd").iterdir():
            if str(file.readlink()).startswith("socket:"):
                shared = call(PIDFD_GETFD, process, int(file.name), 0)
                if shared < 0 and ctypes.get_errno() == errno.EPERM:
                    pytest.skip("no socket of another process may be looked at")
                found.append(stack.enter_context(socket.socket(fileno=shared)))
        yield found


def caller_of(connection: socket.socket) -> object:
    """The address at the other end, None where there is none."""
    with suppress(OSError):
        return connection.getpeername()
    return None


def test_no_image_waits_for_an_acknowledgement_of_tcp(tmp_path: Path) -> None:
    """With Nagle's algorithm each takes 40 ms longer."""
    entity = AE()
    entity.add_requested_context(MRImageStorage)
    with Orthanc(tmp_path) as pacs:
        association = entity.associate("127.0.0.1", pacs.dicom_port, ae_title=pacs.ae_title)
        ours = association.dul.socket.socket.getsockname()
        with sockets_of(pacs.pid) as sockets:
            (theirs,) = [one for one in sockets if caller_of(one) == ours]
            assert theirs.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        association.release()


def test_http_serves_loopback_only_and_it_stops_in_order(tmp_path: Path) -> None:
    with orthanc.Orthanc(tmp_path) as pacs:
        assert httpx.get(f"{pacs.url}/system").json()["DicomAet"] == "ORTHANC"
        assert pacs.configuration(Path("x.so"))["RemoteAccessAllowed"] is False
    assert "Orthanc has stopped" in (tmp_path / "orthanc.log").read_text()


def test_it_dies_with_its_parent(tmp_path: Path) -> None:
    program = (
        "import sys, os, pathlib; from hilum_lab.network.orthanc import Orthanc\n"
        "pacs = Orthanc(pathlib.Path(sys.argv[1])).start()\n"
        "os.write(1, str(pacs.http_port).encode()); os._exit(1)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, tmp_path], stdout=subprocess.PIPE, check=False
    )
    until(lambda: not listens(int(ran.stdout)), "its end")


def test_missing_program_names_the_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orthanc, "PROGRAMS", ("no-such-program",))
    with pytest.raises(MissingPartError, match="apt-get install orthanc orthanc-dicomweb"):
        Orthanc(tmp_path).start()


def test_taken_port_is_replaced_by_a_free_one() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert available_port(port) != port


def test_no_two_processes_are_given_the_same_port() -> None:
    """Both begin at the same place, and nobody listens there yet."""
    program = (
        "import itertools, sys; from hilum_lab.network import processes\n"
        "processes._offsets = itertools.count(5000)\n"
        "print(*(processes.available_port() for _ in range(20)), flush=True)\n"
        "sys.stdin.read()"  # a port is reserved as long as its process lives
    )
    command = [sys.executable, "-c", program]
    with ExitStack() as stack:
        given: list[int] = []
        for _ in range(3):
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
            child = stack.enter_context(subprocess.Popen(command, text=True, **pipes))
            stack.callback(child.kill)
            assert child.stdout is not None
            given += map(int, child.stdout.readline().split())
    assert len(given) == len(set(given)) == 60


def test_where_it_listens_and_whom_it_answers_is_what_the_demo_says(tmp_path: Path) -> None:
    with Orthanc(tmp_path) as pacs, socket.create_server(("127.0.0.1", 0)) as mine:
        assert in_words(addresses_of(mine.getsockname()[1])) == "127.0.0.1"
        assert in_words(addresses_of(pacs.dicom_port)) == "all interfaces"
        assert in_words(addresses_of(pacs.http_port)) == "all interfaces"
        other = own_address()
        assert sender.echo((pacs.ae_title, other, pacs.dicom_port)) > 0
        assert httpx.get(f"http://{other}:{pacs.http_port}/system").status_code == 401
    assert in_words(addresses_of(pacs.http_port)) == "no address"


def test_where_somebody_listens_by_ipv6() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as mine:
        assert addresses_of(mine.getsockname()[1]) == {"::1"}


def own_address() -> str:
    """An address of this machine that is not of its loopback interface; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no network but its own")
        return str(probe.getsockname()[0])
