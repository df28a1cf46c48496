"""What only scripts do on the pages Studies, Upload and Log, in a real browser."""

import logging
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Page

from factory import mr_slices, write
from hilum.dicom.uids import derived_uid
from hilum.inbox import Inbox
from hilum.logs import SharedLog
from hilum.processes.process import fork_server
from hilum.records.states import EventKind, WorkitemState
from hilum.uploading import child
from tests.browser import CHROMIUM

from .house import SAID, House, a_house

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium"),
]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    fork_server(child.__name__)  # by a thread that lasts, as in `hilum serve`: it ends with that
    with a_house(tmp_path) as made:
        yield made


def test_rows_never_jump_and_what_is_newer_is_counted(house: House, page: Page) -> None:
    first, second = house.study(WorkitemState.HELD), house.study(WorkitemState.HELD)
    page.goto(f"{house.url}/studies")
    rows = [f"study-{second}", f"study-{first}"]
    ids = "rows => rows.map(row => row.id)"
    assert page.locator("tbody tr").evaluate_all(ids) == rows
    for number in (1, 2):
        house.study(WorkitemState.FAILED)
        house.records.events.add("1.2.1", EventKind.HELD, "something happened")
        page.wait_for_selector(f"text={number} newer: show")
        assert page.locator("tbody tr").evaluate_all(ids) == rows
    page.get_by_role("link", name="show").click()
    page.wait_for_selector("tbody tr >> nth=3")
    assert page.locator("text=newer: show").is_hidden()


def test_a_study_leads_back_to_the_list_as_it_was_left(house: House, page: Page) -> None:
    for _ in range(30):
        address = house.study(WorkitemState.FAILED, SAID)
    page.goto(f"{house.url}/studies?state=failed&sort=oldest")
    page.evaluate("scrollTo(0, 900)")
    page.locator(f"#study-{address} a").click()
    page.wait_for_url(f"**/studies/{address}")
    page.get_by_role("navigation").get_by_role("link", name="Studies").last.click()
    page.wait_for_url("**/studies?state=failed&sort=oldest")
    page.wait_for_function("scrollY > 500")
    page.locator(f"#study-{address} a").click()
    page.wait_for_url(f"**/studies/{address}")
    page.go_back()
    page.wait_for_url("**/studies?state=failed&sort=oldest")
    page.wait_for_function("scrollY > 500")


def test_a_folder_is_uploaded_file_by_file(house: House, page: Page, tmp_path: Path) -> None:
    write(mr_slices(count=5), tmp_path / "cd" / "DICOM")
    (tmp_path / "cd" / "README").write_text("no image")
    page.goto(f"{house.url}/upload")
    page.set_input_files("#folder", str(tmp_path / "cd"))
    page.get_by_label("out", exact=True).check()
    page.get_by_role("button", name="Upload").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/upload/*")
    page.wait_for_selector("text=5 images of 1 study")
    page.wait_for_selector("text=not a DICOM file")
    uid = derived_uid("test", "study")
    assert len(list(Inbox(house.site.data).study_folder(uid).glob("*.dcm"))) == 5
    chosen = house.records.uploads.get(uid)
    assert chosen is not None and chosen.destinations == ("out",)


def test_an_upload_that_is_refused_says_why(house: House, page: Page) -> None:
    for _ in range(4):
        with house.client() as client:
            client.post("/api/v1/uploads", json={})
    page.goto(f"{house.url}/upload")
    file = {"name": "x.dcm", "mimeType": "application/dicom", "buffer": b"x"}
    page.set_input_files("#files", [file])  # type: ignore[list-item]
    page.get_by_role("button", name="Upload").click()
    page.wait_for_selector("text=Not uploaded: 4 uploads are under way")
    assert page.get_by_role("button", name="Upload").is_visible()


def test_new_lines_of_the_log_appear_unless_one_reads_further_down(
    house: House, page: Page
) -> None:
    (house.site.data / "logs").mkdir()
    with closing(SharedLog(house.site.data / "logs" / "hilum.log")) as log:

        def say(text: str) -> None:
            log.emit(logging.LogRecord("hilum.x", logging.ERROR, text, 1, text, None, None))

        for number in range(60):
            say(f"line {number}")
        page.goto(f"{house.url}/log")
        page.wait_for_selector("text=line 59")
        say("the first new line")
        page.wait_for_selector("text=the first new line")
        page.evaluate("scrollTo(0, 1000)")
        say("the second new line")
        page.wait_for_timeout(2500)  # longer than between two looks
        assert page.locator("text=the second new line").count() == 0
        page.evaluate("scrollTo(0, 0)")
        page.wait_for_selector("text=the second new line")
