"""Filters that people save: their own, those for everybody, and what becomes of them."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from hilum.config.console import Console
from hilum.errors import HilumError
from hilum.people.accounts import identity_of
from hilum.people.everybody import Everybody
from hilum.people.filters import EVERYBODY, MOST
from hilum.people.roles import UserRole

ME, YOU = identity_of("me"), identity_of("you")


@pytest.fixture
def everybody(tmp_path: Path) -> Iterator[Everybody]:
    with closing(Everybody(tmp_path, Console())) as opened:
        yield opened


def names(everybody: Everybody, identity: str) -> list[str]:
    return [one.name for one in everybody.filters.for_person(identity)]


def test_each_person_has_their_own_and_those_for_everybody(everybody: Everybody) -> None:
    filters = everybody.filters
    filters.save(ME, "  my   failures ", "state=failed")
    filters.save(YOU, "yours", "state=held")
    filters.save(EVERYBODY, "a day's work", "sort=state")
    assert names(everybody, ME) == ["my failures", "a day's work"]
    assert names(everybody, YOU) == ["yours", "a day's work"]


def test_the_same_name_is_the_same_filter(everybody: Everybody) -> None:
    first = everybody.filters.save(ME, "one", "state=failed")
    again = everybody.filters.save(ME, "one", "state=held")
    assert again.number == first.number
    assert [one.query for one in everybody.filters.for_person(ME)] == ["state=held"]


def test_nobody_deletes_what_is_anothers(everybody: Everybody) -> None:
    kept = everybody.filters.save(ME, "one", "")
    everybody.filters.remove(YOU, kept.number)
    everybody.filters.remove(EVERYBODY, kept.number)
    assert names(everybody, ME) == ["one"]
    everybody.filters.remove(ME, kept.number)
    assert names(everybody, ME) == []


@pytest.mark.parametrize("name", ["", "  ", "x" * 65])
def test_a_name_is_needed(everybody: Everybody, name: str) -> None:
    with pytest.raises(HilumError, match="needs a name of at most 64 characters"):
        everybody.filters.save(ME, name, "")


def test_there_are_not_too_many(everybody: Everybody) -> None:
    for number in range(MOST):
        everybody.filters.save(ME, f"filter {number}", "")
    with pytest.raises(HilumError, match="delete one first"):
        everybody.filters.save(ME, "one more", "")


def test_they_go_with_the_account(everybody: Everybody) -> None:
    everybody.accounts.add("me", UserRole.READER, "a long enough password")
    everybody.accounts.add("boss", UserRole.ADMINISTRATOR, "another long password")
    everybody.filters.save(ME, "one", "")
    everybody.accounts.remove("me")
    assert names(everybody, ME) == []
