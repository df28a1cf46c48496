"""What a destination raises when the other side fails: wait, or a cure for a person."""

import base64
import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from hilum.answers import Acceptance, Answer
from hilum.config import parse
from hilum.config.kinds import DestinationSettings
from hilum.delivery.handover import require_taken
from hilum.destinations import Destination, open_destination
from hilum.destinations.dicomweb import NOT_THERE, DicomwebDestinationSettings
from hilum.destinations.dimse import DimseDestinationSettings
from hilum.destinations.folder import FolderDestinationSettings
from hilum.errors import ConfigurationError, DeliveryDelayed, DeliveryError, DeliveryRefused
from hilum.testing import results_of
from hilum.transport.statuses import meaning_of
from hilum.transport.stow import UNNAMED
from hilum_lab.archives.behaviour import AE_TITLE, DimseBehaviour, StowBody, WebBehaviour
from hilum_lab.archives.dicomweb import DicomwebArchive
from hilum_lab.archives.dimse import DimseArchive
from hilum_lab.network.processes import available_port
from tests.answering import answering
from tests.synthetic import DCMTK, running_receiver, uid, wait_for_port, write_series


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    return write_series(tmp_path / "scan", 2, size=8)


def _dimse(port: int, **values: object) -> DimseDestinationSettings:
    return DimseDestinationSettings(name="pacs", port=port, ae_title="PACS", **values)


def hand_over(settings: DestinationSettings, files: list[Path]) -> None:
    """Send, and raise as a delivery does unless everything was taken."""
    results = results_of(files)
    require_taken(list(open_destination(settings).send(results)), len(results))


def test_an_absent_archive_is_asked_again_later(files: list[Path]) -> None:
    port = available_port()
    for settings in (
        _dimse(port),
        DicomwebDestinationSettings(name="web", url=f"http://127.0.0.1:{port}/dicom-web"),
    ):
        with pytest.raises(DeliveryDelayed, match="cannot be reached"):
            hand_over(settings, files)
        with pytest.raises(DeliveryDelayed, match="cannot be reached"):
            open_destination(settings).ask(results_of(files))


def test_a_silent_archive_is_asked_again_later(files: list[Path]) -> None:
    with silent_listener() as port, pytest.raises(DeliveryDelayed):
        hand_over(_dimse(port, timeout_seconds=1), files)


def test_a_wrong_ae_title_is_for_a_person(files: list[Path], tmp_path: Path) -> None:
    with (
        running_receiver(tmp_path / "receiver", ae_title="OTHER") as receiver,
        pytest.raises(DeliveryRefused, match="correct ae_title"),
    ):
        hand_over(_dimse(receiver.port), files)


def test_an_unregistered_caller_is_for_a_person(files: list[Path], tmp_path: Path) -> None:
    with (
        running_receiver(tmp_path, ae_title="PACS", allowed_callers=("MR1",)) as receiver,
        pytest.raises(DeliveryRefused, match="register AE title HIPPOAI"),
    ):
        hand_over(_dimse(receiver.port), files)


def test_a_full_archive_is_asked_again_later(files: list[Path], tmp_path: Path) -> None:
    with (
        running_receiver(tmp_path, ae_title="PACS", low_water_mb=1 << 40) as receiver,
        pytest.raises(DeliveryDelayed, match="out of resources"),
    ):
        hand_over(_dimse(receiver.port), files)


def test_a_store_that_cannot_be_queried_is_for_a_person(files: list[Path], tmp_path: Path) -> None:
    port = available_port()
    process = subprocess.Popen(["storescp", "-od", str(tmp_path), str(port)], env=DCMTK)
    try:
        wait_for_port(port)
        destination = open_destination(_dimse(port))
        hand_over(_dimse(port), files)
        with pytest.raises(DeliveryRefused, match="FIND"):
            destination.ask(results_of(files))
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("behaviour", "proof", "acceptance", "said"),
    [
        (WebBehaviour(), "accepted", Acceptance.TAKEN, ""),
        (WebBehaviour(names_one=True), "accepted", Acceptance.TAKEN, ""),
        (
            WebBehaviour(names_one=True, qido_status=404),
            "accepted",
            Acceptance.TAKEN,
            f"{UNNAMED}; nothing shows that it is there",
        ),
        (
            WebBehaviour(names_one=True, keeps=False),
            "accepted",
            Acceptance.NEVER,
            f"{UNNAMED}, {NOT_THERE}",
        ),
        (WebBehaviour(names_one=True), "query", Acceptance.TAKEN, UNNAMED),
        (WebBehaviour(body=StowBody.EMPTY, keeps=False), "accepted", Acceptance.TAKEN, ""),
    ],
    ids=["all are named", "shown", "not asked", "not there", "read back later", "none is named"],
)
def test_what_an_archive_does_not_name_beside_others_is_looked_for(
    files: list[Path], behaviour: WebBehaviour, proof: str, acceptance: Acceptance, said: str
) -> None:
    archive = DicomwebArchive()
    archive.open(behaviour)
    try:
        place = {"name": "web", "url": archive.url, "proof": proof}
        destination = open_destination(DicomwebDestinationSettings.model_validate(place))
        first, second = destination.send(results_of(files))
    finally:
        archive.close()
    assert (first.acceptance, first.text) == (Acceptance.TAKEN, "")
    assert (second.acceptance, second.text) == (acceptance, said)


@contextmanager
def silent_listener() -> Iterator[int]:
    """A port that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])


XML = (  # PS3.19 A.1
    '<NativeDicomModel><DicomAttribute tag="00100020" vr="LO"><Value number="1">7</Value>'
    "</DicomAttribute></NativeDicomModel>"
)


class _Archive(BaseHTTPRequestHandler):
    """Answers what the test says."""

    status = 200
    body: object = None
    seen: tuple[str, ...] = ()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        type(self).seen = (str(self.headers["Authorization"]), str(self.headers["Content-Type"]))
        self._answer()

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        if path.endswith("/metadata"):
            self.send_error(404)  # it holds no instance
        elif self.path.startswith("/404/") and path.endswith("/instances"):
            self.send_error(404)  # for a series that it does not hold
        elif self.path.startswith("/400/") and "includefield" in query:
            self.send_error(400)
        elif self.path.startswith("/xml/") and "json" in self.headers["Accept"]:
            self.send_error(406)
        elif self.path.startswith("/xml/"):
            self._answer(XML.encode())
        else:
            self._answer()

    def _answer(self, xml: bytes = b"") -> None:
        content = xml or (json.dumps(self.body).encode() if self.body is not None else b"")
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def archive() -> Iterator[str]:
    _Archive.status, _Archive.body = 200, None
    with answering(ThreadingHTTPServer(("127.0.0.1", 0), _Archive)) as address:
        yield f"http://{address}"


def _failed(instances: list[str], reason: int) -> dict[str, object]:
    items = [
        {"00081155": {"vr": "UI", "Value": [i]}, "00081197": {"vr": "US", "Value": [reason]}}
        for i in instances
    ]
    return {"00081198": {"vr": "SQ", "Value": items}}


@pytest.mark.parametrize(
    ("status", "reason", "error", "cure"),
    [
        (202, 0xA700, DeliveryDelayed, r"1 of 2 objects \(sr\): the archive is out of resources"),
        (409, 0x0110, DeliveryDelayed, "processing failure"),
        (409, 0x0122, DeliveryRefused, "does not store this SOP class"),
        (202, 0x0124, DeliveryRefused, "allow our"),
        (202, 0xA900, DeliveryRefused, "does not match its SOP class"),
        (202, 0xC000, DeliveryRefused, "cannot understand"),
        (202, 0xC122, DeliveryRefused, "transfer syntax"),
        (409, None, DeliveryDelayed, "processing failure"),
        (400, None, DeliveryRefused, "its log names the cause"),
        (401, None, DeliveryRefused, "password_file"),
        (403, None, DeliveryRefused, "give it the right"),
        (404, None, DeliveryRefused, "correct url"),
        (415, None, DeliveryRefused, "enable STOW-RS"),
        (302, None, DeliveryRefused, "correct url"),
        (429, None, DeliveryDelayed, "HTTP 429"),
        (500, None, DeliveryDelayed, "HTTP 500"),
        (503, None, DeliveryDelayed, "HTTP 503"),
    ],
)
def test_answers_of_a_dicomweb_archive(
    archive: str, files: list[Path], status: int, reason: int | None, error: type, cure: str
) -> None:
    _Archive.status = status
    if reason is not None:
        _Archive.body = _failed([uid(files[0])], reason)
    with pytest.raises(error, match=cure):
        hand_over(DicomwebDestinationSettings(name="web", url=archive), files)


ODD_ELEMENTS = [None, 7, [], {}, {"Value": []}, {"Value": None}, {"Value": 7}, {"Value": [None]}]


@pytest.mark.parametrize("reason", [*ODD_ELEMENTS, {"Value": ["A700"]}, {"Value": [{}]}], ids=repr)
def test_a_failure_without_a_number_is_a_processing_failure(
    archive: str, files: list[Path], reason: object
) -> None:
    _Archive.status, _Archive.body = 202, {"00081198": {"Value": [{"00081197": reason}]}}
    with pytest.raises(DeliveryDelayed, match=r"1 of 2 objects .*processing failure"):
        hand_over(DicomwebDestinationSettings(name="web", url=archive), files)


@pytest.mark.parametrize("odd", ODD_ELEMENTS, ids=repr)
def test_what_an_archive_lists_in_odd_json_is_missing(
    archive: str, files: list[Path], odd: object
) -> None:
    destination = open_destination(DicomwebDestinationSettings(name="web", url=archive))
    _Archive.body = [{"00080018": odd}, odd]
    assert list(destination.ask(results_of(files)).missing) == results_of(files)


@pytest.mark.parametrize("odd", ODD_ELEMENTS[:-1], ids=repr)
def test_a_list_of_failures_that_is_none_is_left_to_the_reading_back(
    archive: str, files: list[Path], odd: object
) -> None:
    _Archive.body = {"00081198": odd}
    settings = DicomwebDestinationSettings(name="web", url=archive)
    hand_over(settings, files)
    assert len(open_destination(settings).ask(results_of(files)).missing) == len(files)


def _web(archive: str, place: str = "") -> Destination:
    return open_destination(DicomwebDestinationSettings(name="web", url=f"{archive}{place}"))


def test_404_for_a_series_means_that_it_is_not_shown(archive: str, files: list[Path]) -> None:
    _Archive.body = []
    assert list(_web(archive, "/404").ask(results_of(files)).missing) == results_of(files)


@pytest.mark.parametrize("status", [404, 405, 501])
def test_an_archive_without_queries_cannot_be_asked(
    archive: str, files: list[Path], status: int
) -> None:
    _Archive.status = status
    with pytest.raises(DeliveryRefused, match=r"name the service that does \(query_url\)"):
        _web(archive).ask(results_of(files))


@pytest.mark.parametrize("place", ["", "/400", "/xml"])
def test_whose_a_study_is_is_asked_as_the_archive_understands_it(archive: str, place: str) -> None:
    _Archive.body = [{"00100020": {"vr": "LO", "Value": ["7"]}}]
    assert [filed.stated.PatientID for filed in _web(archive, place).filing("1.2")] == ["7"]


def test_other_studies_that_an_archive_lists_do_not_count(archive: str) -> None:
    """Some archives do not know a key of the query, and answer as if it were not there."""
    stated = {uid: {"0020000D": {"vr": "UI", "Value": [uid]}} for uid in ("1.2", "1.3")}
    _Archive.body = list(stated.values())
    assert [filed.stated.StudyInstanceUID for filed in _web(archive).filing("1.2")] == ["1.2"]


@pytest.mark.parametrize("body", [[{"no": 1}], [{"0010": 1}], [{"00100020": {"Value": [1]}}]])
def test_an_answer_in_odd_json_ends_in_words(archive: str, body: object) -> None:
    _Archive.body = body
    with pytest.raises(DeliveryRefused, match="breaks the DICOM JSON model"):
        _web(archive).filing("1.2")


def test_what_is_busy_has_taken_nothing_and_what_breaks_is_not_known(
    archive: str, files: list[Path]
) -> None:
    results = results_of(files)
    expected = [
        (503, Acceptance.LATER),
        (429, Acceptance.LATER),
        (500, Acceptance.UNKNOWN),
        (504, Acceptance.UNKNOWN),
        (400, Acceptance.NEVER),
    ]
    for status, acceptance in expected:
        _Archive.status, _Archive.body = status, {"error": "Miller"}
        answers: list[Answer] = []
        with pytest.raises(DeliveryError) as raised:
            for answer in _web(archive).send(results):
                answers.append(answer)
        assert [(one.result, one.acceptance) for one in answers] == [
            (result, acceptance) for result in results
        ]
        assert all("Miller" in one.comment for one in answers)
        assert "Miller" not in str(raised.value)


def test_basic_authentication(archive: str, files: list[Path], tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("open sesame\n")
    secret.chmod(0o600)
    settings = DicomwebDestinationSettings(
        name="web", url=archive, username="hilum", password_file=secret
    )
    hand_over(settings, files)
    authorization, content_type = _Archive.seen
    assert base64.b64decode(authorization.removeprefix("Basic ")) == b"hilum:open sesame"
    assert content_type.startswith('multipart/related; type="application/dicom"; boundary=')


def test_incomplete_settings_are_named() -> None:
    with pytest.raises(ConfigurationError, match=r"^destination web: url is missing"):
        parse({"destination": [{"name": "web", "kind": "dicomweb"}]})
    with pytest.raises(ConfigurationError, match=r"^destination out: folder is missing"):
        parse({"destination": [{"name": "out", "kind": "folder"}]})


def test_a_folder_that_cannot_be_written_is_tried_again(files: list[Path], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    settings = FolderDestinationSettings(name="out", folder=tmp_path / "file" / "below")
    with pytest.raises(DeliveryDelayed, match="cannot write"):
        hand_over(settings, files)


def test_a_result_that_cannot_be_read_is_not_the_folders_fault(
    files: list[Path], tmp_path: Path
) -> None:
    results = results_of(files)
    files[0].unlink()
    settings = FolderDestinationSettings(name="out", folder=tmp_path / "out")
    with pytest.raises(FileNotFoundError) as lost:
        list(open_destination(settings).send(results))
    assert lost.value.filename == str(files[0])


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (0x0000, Acceptance.TAKEN),
        (0xB007, Acceptance.TAKEN),
        (0x0111, Acceptance.TAKEN),
        (0xA701, Acceptance.LATER),
        (0x0213, Acceptance.LATER),
        (0xA9FF, Acceptance.NEVER),
        (0xC123, Acceptance.NEVER),
        (0x0117, Acceptance.NEVER),
        (0x0001, Acceptance.TAKEN),
    ],
)
def test_verdicts(status: int, expected: Acceptance) -> None:
    meaning, text = meaning_of(status)
    assert meaning is expected
    assert f"0x{status:04X}" in text


@pytest.mark.parametrize("status", [0xA700, 0xC001])
def test_a_list_that_the_archive_cuts_short_by_a_status_shows_what_is_on_it(
    files: list[Path], status: int
) -> None:
    results = results_of(files)
    archive = DimseArchive(available_port())
    archive.open(DimseBehaviour(limit=1, limit_status=status))
    try:
        destination = open_destination(
            _dimse(archive.port).model_copy(update={"ae_title": AE_TITLE})
        )
        assert {one.acceptance for one in destination.send(results)} == {Acceptance.TAKEN}
        assert destination.ask(results).missing == ()
        archive.open(DimseBehaviour(find_statuses={"IMAGE": 0xA700}))
        with pytest.raises(
            DeliveryDelayed, match="answered C-FIND with 0xA700: it lacks resources"
        ):
            destination.ask(results)
    finally:
        archive.close()


def test_an_answer_that_only_trickles_in_is_not_waited_for(files: list[Path]) -> None:
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "100000")
            self.end_headers()
            with suppress(OSError):  # nobody waits for the rest
                while not over.wait(0.05):
                    self.wfile.write(b" ")

        def log_message(self, format: str, *args: object) -> None:
            """Keep the test's output clean."""

    with answering(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as address:
        url = f"http://{address}"
        settings = DicomwebDestinationSettings(name="web", url=url, timeout_seconds=0.5)
        try:
            with pytest.raises(DeliveryDelayed, match="web: no answer in time"):
                open_destination(settings).ask(results_of(files))
        finally:
            over.set()
