"""The pages of the rules in a real browser: with a script or without, by keyboard, on a phone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from hilum.config import load
from tests.browser import CHROMIUM, Reader
from tests.signing_in import browse_as

from .house import House, a_house_with_rules
from .test_in_a_browser import grave_faults
from .test_rule_pages import EDIT, MISSED

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium"),
]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with a_house_with_rules(tmp_path) as made:
        yield made


@pytest.fixture
def page(house: House) -> Iterator[Page]:
    with Reader(width=1280) as reader:
        browse_as(reader.page, house.site, url=house.url)
        yield reader.page
        assert reader.errors == []


def faults_of(page: Page) -> list[str]:
    faults = []
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
        faults += grave_faults(page)
    for width in (1280, 320):
        page.set_viewport_size({"width": width, "height": 900})
        wide = int(page.evaluate("document.documentElement.scrollWidth"))
        faults += [f"{page.url} is {wide} wide on {width}"] if wide > width else []
    return faults


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
