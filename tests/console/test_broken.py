"""An open page says within ten seconds that something is broken, and never disturbs who works."""

import re
from collections.abc import Iterator
from contextlib import closing

import pytest
from playwright.sync_api import Browser, Page

from hilum.processes.hints import HintReceiver, gateway_address
from hilum.records.states import EventKind, WorkitemState
from tests.browser import CHROMIUM, Reader
from tests.patience import until
from tests.signing_in import browse_as

from .house import SAID, House, a_house

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium"),
]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with a_house(tmp_path_factory.mktemp("house")) as made:
        yield made


@pytest.fixture
def page(house: House, browser: Browser) -> Iterator[Page]:
    """A window whose clock the test can put forward."""
    with Reader(width=1280, within=browser) as reader:
        browse_as(reader.page, house.site, url=house.url)
        reader.page.clock.install()
        yield reader.page


def becomes(page: Page, what: str) -> None:
    """Wait for it; the browser itself may not, as pages forbid to evaluate texts."""
    until(lambda: page.evaluate(what), what)


def is_broken(page: Page, sentence: str) -> None:
    """It says what, of when what is shown is, and what to do; and nobody can act."""
    said = page.locator("#connection")
    said.wait_for(state="visible")
    text = said.inner_text()
    assert sentence in text and "hilum serve" in text
    assert re.search(r"What you see is of \d+:\d\d:\d\d", text)
    assert page.locator("body.stale").count() == 1
    assert page.locator("main button").count() > 1
    until(lambda: not page.locator("main button:enabled").count(), "no button that acts")


def is_well(page: Page) -> None:
    page.locator("#connection").wait_for(state="hidden")
    assert page.locator("body.stale").count() == 0
    assert page.locator("main button:disabled").count() == 0


def test_a_console_that_falls_silent_is_said_and_its_return_too(
    house: House, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.study(WorkitemState.FAILED, SAID)
    monkeypatch.setattr("hilum.console.live.ALIVE_SECONDS", 600.0)
    monkeypatch.setattr("hilum.console.pages.live.TICK_SECONDS", 1_000_000)
    page.goto(f"{house.url}/studies")
    becomes(page, "newest !== null")
    page.clock.fast_forward(5000)
    is_well(page)
    page.clock.fast_forward(5000)
    is_broken(page, "The console does not answer.")
    house.records.events.add("1.2.1", EventKind.HELD, "it is back")
    becomes(page, "newest !== known || !document.body.matches('.stale')")
    page.clock.fast_forward(1000)
    is_well(page)


def test_a_gateway_that_is_gone_is_said_and_its_return_too(house: House, page: Page) -> None:
    house.study(WorkitemState.FAILED, SAID)
    address = gateway_address(house.site.data)
    with closing(HintReceiver(address)):
        page.goto(f"{house.url}/studies")
        becomes(page, "newest !== null")
        page.clock.fast_forward(2000)
        is_well(page)
    becomes(page, "away !== null")
    page.clock.fast_forward(4000)
    is_broken(page, "The gateway does not run")
    with closing(HintReceiver(address)):
        becomes(page, "away === null")
        page.clock.fast_forward(1000)
        is_well(page)
    address.unlink()


def test_what_one_chose_ticked_typed_and_opened_outlasts_a_minute_of_events(
    house: House, page: Page
) -> None:
    address = house.study(WorkitemState.COMPLETED, SAID)
    page.goto(f"{house.url}/studies/{address}")
    becomes(page, "known !== null")
    page.fill("main input[name=reason]", "the wrong side")
    page.evaluate("document.activeElement.blur()")
    page.evaluate("getSelection().selectAllChildren(document.querySelector('.uid'))")
    renewals = minute_of_events(page)
    assert renewals == 0
    assert page.input_value("main input[name=reason]") == "the wrong side"
    assert page.evaluate("getSelection().toString()").startswith("1.2.")
    page.fill("main input[name=reason]", "")
    page.evaluate("document.activeElement.blur(); getSelection().empty()")
    house.records.events.add(study_at(house, address), EventKind.CAUTION, "at last")
    page.clock.fast_forward(1000)
    page.wait_for_selector("text=at last")


def test_ticks_and_focus_outlast_it_too(house: House, page: Page) -> None:
    address = house.study(WorkitemState.FAILED, SAID)
    page.goto(f"{house.url}/studies")
    becomes(page, "known !== null")
    tick = page.locator(f"#study-{address} input")
    tick.check()
    assert minute_of_events(page) == 0
    assert tick.is_checked()
    tick.uncheck()
    tick.focus()
    with page.expect_request(lambda request: "x-hilum-refresh" in request.headers):
        page.clock.fast_forward(1000)
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.activeElement.value") == address


def minute_of_events(page: Page) -> int:
    """How often the page asked anew while something happened each second."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for number in range(60):
        page.evaluate(f"changes.onmessage({{data: 'event{number} there'}})")
        page.clock.fast_forward(1000)
    return len([url for url in asked if not url.endswith("/live")])


def study_at(house: House, address: str) -> str:
    uid = house.records.identifiers.study_at(address)
    assert uid
    return uid
