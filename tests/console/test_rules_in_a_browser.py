"""The pages of the rules in a real browser: with a script or without, by keyboard, on a phone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from hilum.config import load
from tests.browser import CHROMIUM

from .house import House, a_house_with_file
from .test_in_a_browser import faults_of
from .test_rule_pages import EDIT, MISSED

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium"),
]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with a_house_with_file(tmp_path) as made:
        yield made


def test_a_rule_is_changed_by_keyboard_and_no_page_keeps_anybody_out(
    house: House, page: Page
) -> None:
    faults = []
    page.goto(f"{house.url}/rules")
    page.get_by_role("link", name="Change").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{EDIT}")
    faults += faults_of(page)
    quiet = page.get_by_label("quiet_seconds", exact=True)
    quiet.fill("soon")
    page.locator("#why-form").press("Enter")  # it shows, and saves nothing
    page.wait_for_selector("text=A number, not 'soon'")
    assert quiet.get_attribute("aria-invalid") == "true"
    faults += faults_of(page)
    quiet.fill("3")
    page.get_by_label("research").first.check()
    page.get_by_role("button", name="Show what would change").first.press("Enter")
    page.wait_for_selector("text=What changes in hilum.toml")
    assert "+quiet_seconds = 3" in page.locator("pre.diff").inner_text()
    assert quiet.input_value() == "3"
    faults += faults_of(page)
    page.get_by_role("button", name="Save").first.press("Enter")
    page.wait_for_url("**/rules/versions/2")
    for path in ("/rules/versions/2", "/rules/versions/1", "/rules/versions", "/rules/add", MISSED):
        page.goto(house.url + path)
        faults += faults_of(page)
    assert faults == []
    rule = load(house.site.data.parent / "hilum.toml").rule[0]
    assert (rule.quiet_seconds, rule.send_to) == (3.0, ("out", "research"))
