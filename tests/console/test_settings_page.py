"""The page Settings: for administrators, what runs and where it was set, and no secret."""

from pathlib import Path

import pytest

from hilum.config.versions import SettingsVersions
from hilum.people.roles import UserRole

from .house import House


def test_the_page_says_what_runs_and_where_it_stands(house: House, tmp_path: Path) -> None:
    text = f'data = "{house.site.data}"\n\n[receiver]\nlow_water_mb = 0\n'
    SettingsVersions(house.site.data).keep(text, 1.0)
    page = house.get("/settings")
    assert str(house.site.data) in page
    assert "line 4" in page
    assert "Free disk space in MiB below which images are refused" in page
    assert "[[destination]] out" in page
    only = house.get("/settings?only=set")
    assert "low_water_mb" in only
    assert "max_associations" in page and "max_associations" not in only


def test_a_file_that_is_not_followed_is_said_to_be_so(house: House) -> None:
    SettingsVersions(house.site.data).refuse("receiver.prot: did you mean 'port'?", 1.0)
    assert "is not followed: receiver.prot" in house.get("/settings")


@pytest.mark.parametrize("role", [UserRole.VIEWER, UserRole.READER, UserRole.OPERATOR])
def test_nobody_else_reads_it(house: House, role: UserRole) -> None:
    with house.client(role) as client:
        assert client.get("/settings").status_code == 403
