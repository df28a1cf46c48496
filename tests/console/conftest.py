"""A site of which nobody but the console knows, its people, a console in use, and a browser."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from hilum.config import parse
from hilum.config.site import Site
from hilum.people.everybody import Everybody
from tests.browser import Reader, chromium
from tests.signing_in import browse_as

from .house import House, a_house


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return parse({"data": str(tmp_path / "data"), "receiver": {"low_water_mb": 0}})


@pytest.fixture
def everybody(site: Site) -> Iterator[Everybody]:
    with closing(Everybody(site.data, site.console)) as opened:
        yield opened


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with a_house(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for all tests of a file: it takes a second to start."""
    with chromium() as started:
        yield started


@pytest.fixture
def page(house: House, browser: Browser) -> Iterator[Page]:
    """A window in which an administrator of the `house` has signed in; its scripts never fail."""
    with Reader(width=1280, within=browser) as reader:
        browse_as(reader.page, house.site, url=house.url)
        yield reader.page
        assert reader.errors == []
