"""Images that a person hands over: what is taken in, where results may go, how it ends."""

import io
import re
import threading
import zipfile
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from factory import a_study, mr_slices, put
from hilum.audit import AuditedAct, AuditStore, audit_file
from hilum.audit.store import AuditFilter
from hilum.config import parse
from hilum.console.guard import cookie_name
from hilum.console.known import KnownModules
from hilum.dicom.instance import Instance
from hilum.dicom.made_up import VOLUMES
from hilum.dicom.part10 import as_file
from hilum.dicom.study import Study
from hilum.dicom.uids import MADE_UP, derived_uid
from hilum.inbox import Inbox
from hilum.module import Input
from hilum.modules.chest import ChestRadiograph
from hilum.modules.hippocampus import HippocampalVolume
from hilum.people.roles import UserRole
from hilum.people.sessions import form_token
from hilum.processes.process import fork_server
from hilum.records import Records
from hilum.uploading import child
from hilum.uploading.made_up import can_be_made_for, made_up_study
from hilum_lab.network.processes import available_port
from tests.patience import until
from tests.signing_in import session_of, signed_in
from tests.synthetic import running_receiver

from .house import House, a_house
from .serving import serving

V1 = "/api/v1/uploads"


@pytest.fixture(scope="module")
def slices() -> list[bytes]:
    return [as_file(ds) for ds in mr_slices(count=6)]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    fork_server(child.__name__)  # by a thread that lasts, as in `hilum serve`: it ends with that
    with a_house(tmp_path) as made:
        yield made


@pytest.fixture
def client(house: House) -> Iterator[httpx.Client]:
    with house.client(UserRole.OPERATOR) as client:
        yield client


def begin(client: httpx.Client, **wanted: Any) -> str:
    answer = client.post(V1, json=wanted)
    assert answer.status_code == 200, answer.text
    return f"{V1}/{answer.json()['number']}"


def end_of(client: httpx.Client, upload: str) -> dict[str, Any]:
    """What the API says of an upload when it is over."""
    answer: dict[str, Any] = {}

    def is_over() -> bool:
        answer.update(client.get(upload).json())
        return answer["state"] in ("taken in", "stopped")

    until(is_over, "the upload is over")
    return answer


def whole(client: httpx.Client, files: list[bytes], **wanted: Any) -> dict[str, Any]:
    upload = begin(client, **wanted)
    for content in files:
        assert client.post(f"{upload}/files", content=content).status_code == 200
    assert client.post(f"{upload}/finish").status_code == 200
    return end_of(client, upload)


def fates(answer: dict[str, Any]) -> dict[str, int]:
    return {f"{one['fate']}: {one['reason']}".strip(": "): one["files"] for one in answer["files"]}


def zipped(files: list[bytes]) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        for number, content in enumerate(files):
            opened.writestr(f"../../../etc/{number}", content)
    return archive.getvalue()


def images_of(house: House, study: str) -> int:
    folder = Inbox(house.site.data).study_folder(derived_uid("test", study))
    return len(list(folder.glob("*.dcm")))


def left_over(house: House) -> list[Path]:
    data = house.site.data
    return [*(data / "uploads").glob("*"), *(data / "partial").glob("*")]


def test_the_files_of_a_folder_and_of_an_archive_are_taken_in(
    house: House, client: httpx.Client, slices: list[bytes]
) -> None:
    answer = whole(client, [*slices[:3], b"not an image", zipped(slices), slices[0]])
    assert answer["state"] == "taken in"
    assert answer["studies"] == 1
    assert fates(answer) == {
        "accepted": 6,
        "left out: not a DICOM file": 1,
        "here already": 4,
    }
    assert images_of(house, "study") == 6
    assert left_over(house) == []


def test_who_uploaded_a_study_is_on_record_before_it_is_stored(
    house: House, client: httpx.Client, slices: list[bytes]
) -> None:
    whole(client, slices[:1], destinations=["out"], images=True)
    with closing(AuditStore(audit_file(house.site.data))) as store:
        [entry] = store.latest(AuditFilter(act=AuditedAct.UPLOADED), 10)
    assert entry.patient_id == "marker-id"
    assert entry.study_uid == derived_uid("test", "study")
    assert entry.reason == "uploaded in the console: its results go to out, with the images"


def test_nothing_is_stored_that_cannot_be_put_on_record(
    house: House, client: httpx.Client, slices: list[bytes]
) -> None:
    upload = begin(client)
    audit_file(house.site.data).write_bytes(b"no database any more")
    assert client.post(f"{upload}/files", content=slices[0]).status_code == 200
    answer = end_of(client, upload)
    assert answer["state"] == "stopped"
    assert "cannot be written down who did it" in answer["problem"]
    assert images_of(house, "study") == 0
    assert house.records.uploads.get(derived_uid("test", "study")) is None


def test_the_choice_is_on_record_and_a_later_one_replaces_it(
    house: House, client: httpx.Client, slices: list[bytes]
) -> None:
    uid = derived_uid("test", "study")
    whole(client, slices[:2])
    chosen = house.records.uploads.get(uid)
    assert chosen is not None and chosen.destinations == ()
    whole(client, slices[2:], destinations=["out"])
    chosen = house.records.uploads.get(uid)
    assert chosen is not None and chosen.destinations == ("out",)
    said = [event.text for event in house.records.events.of_study(uid)]
    assert said == [
        "uploaded in the console: its results stay here",
        "uploaded in the console: its results go to out",
    ]


def test_a_study_that_came_from_a_sender_before_keeps_to_its_rules(
    house: House, client: httpx.Client, slices: list[bytes]
) -> None:
    uid = derived_uid("test", "study")
    put(house.records, a_study(study_uid=uid, folder="x", images=1))
    answer = whole(client, slices[:1])
    assert house.records.uploads.get(uid) is None
    page = client.get(f"/upload/{answer['number']}").text
    assert "1 study came from a sender before. The rules decide" in page


def test_a_destination_that_is_none_is_refused(client: httpx.Client) -> None:
    answer = client.post(V1, json={"destinations": ["out", "nowhere"]})
    assert (answer.status_code, answer.json()["detail"]) == (
        422,
        "there is no destination nowhere",
    )


def test_an_upload_is_its_persons_own(house: House, client: httpx.Client) -> None:
    upload = begin(client)
    with house.client(UserRole.ADMINISTRATOR) as other:
        for answer in (
            other.get(upload),
            other.post(f"{upload}/files", content=b""),
            other.post(f"{upload}/finish"),
            other.delete(upload),
        ):
            assert answer.status_code == 404


def test_what_is_aborted_loses_nothing_that_was_accepted_and_leaves_no_trash(
    house: House, client: httpx.Client, slices: list[bytes]
) -> None:
    upload = begin(client)
    for content in slices[:3]:
        client.post(f"{upload}/files", content=content)
    until(lambda: images_of(house, "study") == 3, "three images")

    def half() -> Iterator[bytes]:
        yield b"\0" * 100_000
        client_2.delete(upload)
        until(lambda: not left_over(house), "it is tidied up")
        yield b"\0" * 100_000

    with house.client(UserRole.OPERATOR) as client_2:
        client_2.headers = client.headers
        answer = client.post(f"{upload}/files", content=half())
    assert answer.status_code == 409
    assert "ended before all files had come" in answer.text
    assert end_of(client, upload)["state"] == "stopped"
    assert images_of(house, "study") == 3
    assert left_over(house) == []
    assert client.post(f"{upload}/files", content=slices[4]).status_code == 409


def test_a_connection_that_is_cut_in_the_middle_leaves_no_part_of_a_file(
    house: House, client: httpx.Client, slices: list[bytes]
) -> None:
    upload = begin(client)

    def cut() -> Iterator[bytes]:
        yield b"\0" * 200
        raise ConnectionAbortedError

    with pytest.raises(ConnectionAbortedError):
        client.post(f"{upload}/files", content=cut())
    client.post(f"{upload}/files", content=slices[0])
    client.post(f"{upload}/finish")
    assert fates(end_of(client, upload)) == {"accepted": 1}
    assert left_over(house) == []


def test_two_at_once_and_not_too_many(
    house: House, client: httpx.Client, slices: list[bytes]
) -> None:
    others = [as_file(ds) for ds in mr_slices(study="other", count=3)]
    answers: list[dict[str, Any]] = []

    def one(files: list[bytes]) -> None:
        with house.client(UserRole.OPERATOR) as own:
            answers.append(whole(own, [zipped(files)]))

    threads = [threading.Thread(target=partial(one, files)) for files in (slices, others)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(fates(answer)["accepted"] for answer in answers) == [3, 6]
    for _ in range(4):
        begin(client)
    refused = client.post(V1, json={})
    assert refused.status_code == 409
    assert "4 uploads are under way" in refused.json()["detail"]


def test_the_form_needs_no_scripts(house: House, slices: list[bytes]) -> None:
    key = session_of(house.site, UserRole.OPERATOR)
    fields = {"form_token": form_token(key), "destination": "out", "images": "yes"}
    with httpx.Client(base_url=house.url) as browser:
        browser.cookies.set(cookie_name(house.site.console), key)
        files = {"file": ("Name^Of^Patient.zip", zipped(slices))}
        answer = browser.post("/upload", data=fields, files=files)
        assert answer.status_code == 303
        place = answer.headers["location"]
        until(lambda: "All images were taken in." in browser.get(place).text, "it is over")
        page = browser.get(place).text
        assert "6 images of 1 study" in page
        assert "go to out, with the images" in page
        assert browser.get("/upload").text.count(place) == 1
        nothing = browser.post("/upload", data=fields, files={"other": (None, "x")})
        assert (nothing.status_code, "no file was chosen" in nothing.text) == (422, True)
        stale = browser.post("/upload", data={**fields, "form_token": "x"}, files=files)
        assert stale.status_code == 403
    assert images_of(house, "study") == 6
    assert left_over(house) == []


def spans(least: float, most: float) -> st.SearchStrategy[tuple[float, float] | None]:
    """Ranges that a module may declare, also without an end, or none."""
    bounds = st.floats(least, most).map(lambda value: round(value, 2))
    pairs = st.tuples(bounds, bounds | st.just(inf))
    return st.none() | pairs.map(lambda pair: (min(pair), max(pair)))


@given(
    modality=st.sampled_from(sorted(VOLUMES)),
    slice_spacing=spans(0.5, 6),
    pixel_spacing=spans(0.5, 3),
    orientation=st.sampled_from([None, "axial", "coronal", "sagittal"]),
    echo_time=spans(2, 100),
)
@example(
    modality="CT",
    slice_spacing=(2.97, inf),
    pixel_spacing=None,
    orientation=None,
    echo_time=None,
)
@settings(max_examples=10, deadline=None)
def test_a_made_up_series_is_what_a_module_declares(**declared: Any) -> None:
    need = Input(extent=(24, 64), **declared)
    assert can_be_made_for({"series": need})
    with TemporaryDirectory() as folder:
        files = [Path(folder) / str(number) for number in range(200)]
        images = []
        for path, content in zip(files, made_up_study({"series": need}), strict=False):
            path.write_bytes(content)
            images.append(Instance.read(path))
        [series] = Study.of(images).series
        assert list(need.objections(series)) == []
    assert series.description == "Made up by Hilum"


@pytest.mark.parametrize("need", [HippocampalVolume.needs, ChestRadiograph.needs])
def test_a_study_can_be_made_up_for_our_own_modules(need: Any) -> None:
    assert can_be_made_for({"series": need})


def test_none_can_be_made_up_of_what_is_no_volume_and_no_film() -> None:
    assert not can_be_made_for({"series": Input("US")})
    assert not can_be_made_for({})
    assert can_be_made_for({"series": Input("CT"), "loop": Input("US", optional=True)})
    assert can_be_made_for({"series": Input("CT", extent=(200, inf))})


def test_a_made_up_study_goes_the_way_of_an_upload_and_its_results_nowhere(tmp_path: Path) -> None:
    fork_server(child.__name__)
    (tmp_path / "data").mkdir(mode=0o700)
    site = parse({"data": str(tmp_path / "data"), "receiver": {"low_water_mb": 0}})
    need = Input("MR", slices=(4, 4), extent=(16, 16))
    modules = KnownModules(needs={"m": {"series": need}, "n": {"loop": Input("US")}})
    with (
        closing(Records(f"sqlite:///{site.data}/hilum.db")) as records,
        serving(site, records, modules=modules) as url,
        signed_in(site, UserRole.OPERATOR, url) as client,
    ):
        assert re.findall("<option>(.*)</option>", client.get("/upload").text) == ["m"]
        begun = client.post("/upload/made-up", data={"module": "m"})
        page = begun.headers["Location"]
        until(lambda: "All images were taken in." in client.get(page).text, "the upload is over")
        assert client.post("/upload/made-up", data={"module": "n"}).status_code == 422
        images = [Instance.read(path) for path in site.data.rglob("*.dcm")]
        assert len(images) == 4
        chosen = records.uploads.get(images[0].study_uid)
        assert chosen and chosen.destinations == ()
        assert chosen.study_uid.startswith(MADE_UP), "so that it counts nowhere"


def test_a_made_up_study_goes_to_the_receiver_as_a_scanner_sends_it(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    port, low = available_port(), {"low_water_mb": 0, "allowed_callers": ["MR1"]}
    site = parse({"data": str(tmp_path / "data"), "receiver": {"port": port, **low}})
    need = Input("MR", slices=(4, 4), extent=(16, 16))
    modules = KnownModules(needs={"m": {"series": need}})
    wanted = {"module": "m", "receiver": "yes"}
    with (
        closing(Records(f"sqlite:///{site.data}/hilum.db")) as records,
        serving(site, records, modules=modules) as url,
        signed_in(site, UserRole.OPERATOR, url) as client,
    ):
        assert "by the receiver, as a scanner would" in client.get("/upload").text
        away = client.post("/upload/made-up", data=wanted)
        assert (away.status_code, "cannot be reached" in away.text) == (409, True), away.text
        with running_receiver(tmp_path / "receiver", site.data, **vars(site.receiver)):
            begun = client.post("/upload/made-up", data=wanted)
        page = begun.headers["Location"]
        assert "The receiver has taken all images" in client.get(page).text
        images = [Instance.read(path) for path in site.data.rglob("incoming/*/*.dcm")]
        uid = images[0].study_uid
        assert (len(images), page) == (4, f"/upload/made-up/{uid}")
        chosen = records.uploads.get(uid)
        assert chosen and chosen.destinations == (), "its results go nowhere"
        put(records, a_study(study_uid=uid))
        address = records.identifiers.addresses([uid])[uid]
        assert client.get(page).headers["Location"] == f"/studies/{address}"
        assert client.get("/upload/made-up/1.2").status_code == 404
    with closing(AuditStore(audit_file(site.data))) as store:
        noted = [entry for entry in store.after(0, 100) if entry.act is AuditedAct.UPLOADED]
    assert [entry.study_uid for entry in noted][-1] == uid
