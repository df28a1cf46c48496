"""The page and the API "Why not?" say what `hilum why` says, and no address names a patient."""

import json
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from factory import a_delivery, a_workitem, mr_slices, put, write
from hilum.audit.store import AuditStore
from hilum.cli import app
from hilum.config import parse
from hilum.config.site import Site
from hilum.console.api import why as api
from hilum.console.pages import why as page
from hilum.people.roles import Permission
from hilum.records import Records
from hilum.records.listed import StudyIdentifiers
from hilum.records.models.studies import Study
from hilum.records.states import DeliveryState, WorkitemState
from hilum.transport.sender import send
from tests.archives import Orthanc
from tests.browser import CHROMIUM, Reader
from tests.signing_in import browse_as, signed_in

from .serving import serving

UID = "1.2.840.77"
HIDDEN = "<script>document.title = 'mine'</script>"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """It has a study of which nothing has come here."""
    folder = tmp_path_factory.mktemp("archive")
    (image,) = mr_slices("there", "only there", 1)
    image.AccessionNumber = "A99"
    with Orthanc(folder / "orthanc") as orthanc:
        sent = send(write([image], folder), (orthanc.ae_title, "127.0.0.1", orthanc.dicom_port))
        assert not sent.failed
        yield orthanc


@pytest.fixture
def site(tmp_path: Path, archive: Orthanc) -> Site:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    pacs = {
        "name": "pacs",
        "kind": "dimse",
        "port": archive.dicom_port,
        "ae_title": archive.ae_title,
    }
    (tmp_path / "hilum.toml").write_text(
        f'data = "{data}"\nreceiver.low_water_mb = 0\n[[destination]]\n'
        + "".join(f"{key} = {json.dumps(value)}\n" for key, value in pacs.items())
    )
    return parse({"data": str(data), "receiver": {"low_water_mb": 0}, "destination": [pacs]})


@pytest.fixture
def records(site: Site) -> Iterator[Records]:
    with closing(Records(f"sqlite:///{site.data}/hilum.db")) as opened:
        opened.studies.add(Study(UID, "f", 3, 3, first_at=1.0, last_at=2.0))
        who = StudyIdentifiers(patient_id="Marker-7", accession_number="A77")
        opened.studies.reviewed(UID, 3, 2.0, 3, who)
        put(opened, a_workitem(id="9.9.12345678", study_uid=UID, state=WorkitemState.PARKED))
        reason = f"refused {HIDDEN}"
        put(opened, a_delivery("9.9.12345678", state=DeliveryState.REFUSED, reason=reason))
        yield opened


def test_the_api_says_what_the_command_says(site: Site, records: Records) -> None:
    config = str(site.data.parent / "hilum.toml")
    typed = CliRunner().invoke(app, ["why", "A77", "--json", "--config", config])
    said = json.loads(typed.stdout)
    assert said.pop("archives") == [
        {
            "archive": "pacs",
            "holding": "does not have it",
            "text": "does not have it",
            "study_uids": [],
            "can_be_fetched": False,
        }
    ]
    with serving(site, records) as url, signed_in(site, url=url) as client:
        assert client.post("/api/v1/why", json={"wanted": " A77 "}).json() == said
        asked = client.post("/api/v1/why/archives", json={"wanted": "A99"})
        (line,) = map(json.loads, asked.text.splitlines())
        assert line["answer"]["holding"] == "has it"
        assert line["explanation"]["sentence"].startswith(
            "Nothing of it has arrived here, but pacs"
        )
        for wanted in ("", " ", "1" * 65):
            answer = client.post("/api/v1/why", json={"wanted": wanted})
            assert answer.status_code == 422
    assert said["cause"] == "parked"
    assert "Marker" not in typed.stdout
    with closing(AuditStore(site.data / "audit.db")) as store:
        noted = [(entry.object, entry.origin.value) for entry in store.after(0, 9)]
    assert noted == [("why not", "command line"), (UID, "API"), ("why not", "API")]


def test_who_asks_must_be_allowed_to_see_patients() -> None:
    found = [*api.endpoints.found, *page.endpoints.found]
    assert {endpoint.permission for endpoint in found} == {Permission.SEE_PATIENTS}
    assert not any("wanted" in endpoint.path for endpoint in found)


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
def test_the_page_answers_and_adds_what_archives_say(
    site: Site, records: Records, tmp_path: Path
) -> None:
    with serving(site, records) as url, Reader(width=1200) as reader:
        page = reader.page
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        browse_as(page, site, url=url)
        browse_as(page, site, url=url)
        page.goto(f"{url}/why")
        page.wait_for_selector("input[name=wanted]:focus")
        page.keyboard.type("A77")
        page.keyboard.press("Enter")
        page.wait_for_selector("text=The result of m is parked: pacs: refused")
        assert HIDDEN in page.locator("h2").first.inner_text()
        assert page.title() == "Why not? · Hilum"
        assert page.locator("main li a").all_inner_texts() == ["Send again"]
        page.wait_for_selector("text=pacs does not have it.")
        reader.screenshot(tmp_path / "parked.png")
        page.fill("input[name=wanted]", "A99")
        page.click("text=Ask")
        page.wait_for_selector("text=Nothing of it has arrived.")
        page.wait_for_selector("text=Have pacs send it to HIPPOAI")
        page.wait_for_selector("text=Fetch it from pacs")
        reader.screenshot(tmp_path / "elsewhere.png")
        page.emulate_media(color_scheme="dark")
        page.set_viewport_size({"width": 360, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        reader.screenshot(tmp_path / "narrow.png")
        page.click("button >> text=Fetch it from pacs")
        page.wait_for_selector("text=The gateway begins when it runs")
        [fetched] = records.requests.to_fetch()
        assert (fetched.wish.archive, fetched.reason[:5]) == ("pacs", "2.25.")
        records.requests.answer(fetched.id, True, "3 images fetched from pacs")
        page.wait_for_selector("text=3 images fetched from pacs.")
        assert reader.errors == []
        assert not [address for address in asked if re.search("A77|A99|Marker", address)]


def test_what_is_source_and_destination_answers_once(site: Site, archive: Orthanc) -> None:
    file = site.data.parent / "hilum.toml"
    source = {"name": "pacs", "kind": "orthanc", "url": archive.url}
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in source.items())
    file.write_text(f"{file.read_text()}[[source]]\n{lines}")
    with closing(Records(f"sqlite:///{site.data}/hilum.db")) as records:
        told = CliRunner().invoke(app, ["why", "A00", "--config", str(file)])
        assert told.stdout.count("pacs does not have it.") == 1, told.output
        both = parse({**site.model_dump(mode="json", exclude_unset=True), "source": [source]})
        with serving(both, records) as url, signed_in(both, url=url) as client:
            shown = client.post("/why", data={"wanted": "A00"}).text
            assert shown.count('hx-post="/why/archives/pacs"') == 1
            answered = client.post("/why/archives/pacs", data={"wanted": "A00"}).text
            assert answered.count("does not have it") == 1
