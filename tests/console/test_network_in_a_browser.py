"""The pages of destinations, modules and their forms in a real browser, by keyboard, on a phone."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from hilum.records.states import PausedKind
from hilum.summary.numbers import MeasurementSummary
from hilum.summary.remarks import RefusalSummary
from tests.browser import CHROMIUM
from tests.signing_in import browse_as

from . import test_modules_page, test_places
from .house import House, a_house_with_file
from .test_in_a_browser import faults_of

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium"),
]
DIMSE = "/network/add/destinations/dimse"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with a_house_with_file(tmp_path, test_places.TEXT) as made:
        yield made


@pytest.fixture
def house_with_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with test_modules_page.a_house_with_a_module(tmp_path_factory.mktemp("module")) as made:
        yield made


def faults_at(page: Page, house: House, *paths: str) -> list[str]:
    page.set_viewport_size({"width": 320, "height": 900})
    faults = []
    for path in paths:
        page.goto(house.url + path)
        faults += faults_of(page)
    return faults


def test_nothing_grave_keeps_anybody_from_a_form(house: House, page: Page) -> None:
    paths = ("/network", "/network/add", DIMSE, test_places.EDIT)
    assert faults_at(page, house, *paths) == []


def test_nothing_grave_keeps_anybody_from_the_page_of_a_module(
    house_with_module: House, page: Page
) -> None:
    measured = MeasurementSummary("Volume", 3.0, "ml", of="Hippocampus")
    for number, finding in enumerate((measured, RefusalSummary("c", "Too thick."))):
        test_modules_page.analysed(
            house_with_module.records, number, time.time() - 60, findings=(finding,)
        )
    path = f"/modules/{test_modules_page.NAME}"
    browse_as(page, house_with_module.site, url=house_with_module.url)
    assert faults_at(page, house_with_module, "/modules", path) == []


def test_a_destination_is_paused_by_keyboard_and_a_form_keeps_what_was_typed(
    house: House, page: Page
) -> None:
    page.goto(f"{house.url}/network/destinations/out")
    page.get_by_text("Pause out").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Reason").focus()
    page.keyboard.type("new disks")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=new disks")
    [pause] = house.records.pauses.of(PausedKind.DESTINATION).values()
    assert pause.reason == "new disks"
    page.goto(house.url + DIMSE)
    page.fill("#field-name", "pacs")
    page.fill("#field-port", "many")
    page.get_by_role("button", name="Save").click()
    problem = page.locator("#field-port-problem")
    problem.wait_for()
    assert "A number, not" in problem.inner_text()
    assert page.input_value("#field-name") == "pacs"
