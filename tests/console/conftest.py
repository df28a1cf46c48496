"""A site of which nobody but the console knows, and its people."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from hilum.config import parse
from hilum.config.site import Site
from hilum.people.everybody import Everybody


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return parse({"data": str(tmp_path / "data"), "receiver": {"low_water_mb": 0}})


@pytest.fixture
def everybody(site: Site) -> Iterator[Everybody]:
    with closing(Everybody(site.data, site.console)) as opened:
        yield opened
