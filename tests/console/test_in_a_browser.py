"""The pages in a real browser: nothing keeps anybody from using them, and they keep up to date."""

import re

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from hilum.people.roles import UserRole
from hilum.records.states import EventKind, WorkitemState
from tests.browser import CHROMIUM, Reader
from tests.signing_in import browse_as

from .house import PAGES, SAID, House, make_busy

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium"),
]
DESK = 1280  # pixels wide
GRAVE = ("serious", "critical")
FURTHER_PAGES = (
    *("/why", "/people", "/audit", "/login", "/upload", "/log", "/settings"),
    "/network/destinations/out",
)


# Links of which one begins where another ends: together they read as one.
TOUCHING = """() => [...document.querySelectorAll("a + a")].filter(link => {
    const [before] = [...link.previousElementSibling.getClientRects()].slice(-1);
    const [after] = link.getClientRects();
    return before && after && Math.abs(before.bottom - after.bottom) < 2
        && Math.abs(after.left - before.right) < 1;
}).map(link => link.previousElementSibling.textContent + link.textContent)"""
OF_COLOUR = ["color-contrast", "link-in-text-block"]  # the rules of axe that a theme can break


def grave_faults(page: Page, rules: list[str] | None = None) -> list[str]:
    """By all rules, or by those alone."""
    options = {"resultTypes": ["violations"]} | ({"runOnly": rules} if rules else {})
    axe = Axe("" if page.evaluate("'axe' in window") else AXE_SCRIPT)  # it is long
    found = axe.run(page, options=options).response["violations"]
    return [
        f"{page.url}: {one['id']}: {node['html'][:120]}"
        for one in found
        if one["impact"] in GRAVE
        for node in one["nodes"]
    ]


def faults_of(page: Page) -> list[str]:
    """What keeps anybody from using it in both themes, and where it is too wide, also on a phone.

    Axe looks at it as wide as on a desk.
    """
    page.set_viewport_size({"width": DESK, "height": 900})
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    faults = grave_faults(page)
    faults += [f"{page.url}: {links!r}" for links in page.evaluate(TOUCHING)]
    page.emulate_media(color_scheme="dark")
    faults += grave_faults(page, OF_COLOUR)
    for width in (DESK, 320):
        page.set_viewport_size({"width": width, "height": 900})
        wide = int(page.evaluate("document.documentElement.scrollWidth"))
        faults += [f"{page.url} is {wide} wide on {width}"] if wide > width else []
    return faults


def test_nothing_grave_keeps_anybody_from_using_a_page(house: House, page: Page) -> None:
    """Where there is nothing, then where there is much; what is the same is looked at once.

    The header of the page tells alarms, and a time or a token is another one each time.
    """
    faults: list[str] = []
    seen: set[str] = set()

    def look_at(*paths: str) -> None:
        for path in paths:
            page.goto(house.url + path)
            if (content := re.sub(r"\d+", "", page.locator("main").inner_html())) not in seen:
                seen.add(content)
                faults.extend(faults_of(page))

    look_at(*PAGES, *FURTHER_PAGES)
    look_at(*PAGES, *FURTHER_PAGES, f"/studies/{make_busy(house)}")
    assert faults == []


def test_a_study_is_found_from_every_page(house: House, page: Page) -> None:
    address = house.study(WorkitemState.HELD, SAID)
    house.study(WorkitemState.HELD)
    page.goto(f"{house.url}/network")
    page.keyboard.press("/")
    page.keyboard.type("ACC7")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{house.url}/finds/*")
    assert page.locator("tbody tr").count() == 1
    assert page.locator(f'a[href^="/studies/{address}"]').count() == 1
    assert 'id="find"' not in house.get("/network", UserRole.VIEWER), "who may not see patients"


def test_a_page_keeps_up_to_date_and_leaves_what_one_does(house: House, page: Page) -> None:
    first = house.study(WorkitemState.HELD)
    page.goto(f"{house.url}/studies")
    page.wait_for_selector(f"#study-{first}")
    house.study(WorkitemState.HELD)
    house.records.events.add("1.2.1", EventKind.HELD, "something happened")
    page.wait_for_selector("text=2 studies, page 1 of 1")
    assert page.locator("tbody tr").count() == 1  # rows never jump
    page.get_by_role("link", name="show").click()
    page.wait_for_selector("tbody tr >> nth=1")
    page.check(f"#study-{first} input")
    house.study(WorkitemState.HELD)
    house.records.events.add("1.2.1", EventKind.HELD, "something else happened")
    page.wait_for_timeout(2500)  # longer than between two looks
    assert page.is_checked(f"#study-{first} input")
    assert page.locator("tbody tr").count() == 2
    page.uncheck(f"#study-{first} input")
    house.records.events.add("1.2.1", EventKind.HELD, "and again")
    page.wait_for_selector("text=1 newer: show")


def test_the_menu_of_a_phone_takes_one_line_until_it_is_opened(house: House, page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(f"{house.url}/studies")
    assert page.locator("header.top").bounding_box()["height"] < 70  # type: ignore[index]
    page.keyboard.press("Tab")  # the way over the menu
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.get_attribute("#menu", "aria-expanded") == "true"
    page.click("nav >> text=Statistics")
    page.wait_for_selector("h1:text('Statistics')")
    assert not page.is_visible("nav >> text=Statistics")
    page.set_viewport_size({"width": 1280, "height": 800})
    assert page.is_visible("nav >> text=Statistics") and not page.is_visible("#menu")


def test_the_menu_of_an_administrator_takes_one_line_too(house: House, page: Page) -> None:
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(f"{house.url}/studies")
    assert page.locator("header.top").bounding_box()["height"] < 70  # type: ignore[index]
    people = "nav >> text=People"
    assert not page.is_visible(people)
    page.focus("#more summary")
    page.keyboard.press("Enter")
    assert page.is_visible(people)
    page.keyboard.press("Escape")
    assert not page.is_visible(people)
    page.click("#more summary")
    page.click("h1")  # whoever turns to something else closes it
    assert not page.is_visible(people)
    page.click("#more summary")
    page.click(people)
    page.wait_for_selector("h1:text('People')")
    assert page.get_attribute(people, "aria-current") == "page"


def test_everything_can_be_reached_by_keyboard(house: House, page: Page) -> None:
    address = house.study(WorkitemState.FAILED, SAID)
    page.goto(house.url)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.get_by_role("link", name="Studies", exact=True).focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/studies")
    page.get_by_role("link", name="Brain").focus()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/studies/{address}")
    page.get_by_role("button", name="Run again").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("text=the gateway will do it when it runs")
    [asked] = house.records.requests.waiting()
    assert asked.action == "rerun"


def test_a_reader_has_no_buttons_that_are_not_for_them(house: House, browser: Browser) -> None:
    address = make_busy(house)
    with Reader(within=browser) as reader:
        browse_as(reader.page, house.site, UserRole.READER, house.url)
        reader.page.goto(f"{house.url}/studies/{address}")
        ours = ["Sign out", "Accept", "Reject", "Supplement"]
        assert reader.page.get_by_role("button").all_inner_texts() == ours
        assert reader.page.locator("nav[aria-label=Pages] a").all_inner_texts() == [
            "Now",
            "Studies",
            "Why not?",
            "Rules",
            "Modules",
            "Network",
            "Statistics",
            "About",
        ]
