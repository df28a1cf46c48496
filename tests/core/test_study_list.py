"""The list of studies: pages, what is unfinished, and no more queries for 300 than for 10."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from factory import a_delivery, a_result, a_study, a_workitem, put
from hilum.cli import app
from hilum.config import parse
from hilum.config.site import Site
from hilum.console.app import application
from hilum.errors import HilumError
from hilum.records import Records, views
from hilum.records.models.patients import Correction
from hilum.records.models.studies import Removal
from hilum.records.states import DeliveryState, WorkitemKind, WorkitemState
from tests.signing_in import signed_in

HELD, DONE = WorkitemState.HELD, WorkitemState.COMPLETED


def fill(records: Records, states: list[WorkitemState]) -> None:
    """Studies "0", "1", ..., each with a workitem in one of `states`; the last one came last."""
    for number, state in enumerate(states):
        uid = str(number)
        put(records, a_study(study_uid=uid, folder=uid, last_at=float(number)))
        put(records, a_workitem(id=f"w{uid}", study_uid=uid, state=state))
        put(records, a_workitem(id=f"n{uid}", study_uid=uid, kind=WorkitemKind.NOT_RUN, state=DONE))
        put(records, a_result(f"w{uid}", identity=f"r{uid}"))
        put(records, a_delivery(f"w{uid}", state=DeliveryState.VERIFIED))
        if number % 3 == 0:
            records.studies.remove_images(Removal(uid, 0.0, "old", 3, 0, 1), "3 images: old")
            records.corrections.note(Correction(uid, "key", 0.0, ("CT1",), is_open=True))


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    (tmp_path / "hilum.toml").write_text(f'data = "{tmp_path}"\n')
    with closing(Records(f"sqlite:///{tmp_path}/hilum.db")) as opened:
        yield opened


def uids(page: views.StudyPage) -> list[int]:
    return [int(study.study_uid) for study in page.studies]


def test_a_page_of_three_hundred_studies_takes_as_many_queries_as_one_of_ten() -> None:
    counts = []
    for number in (10, 300):
        with closing(Records("sqlite://")) as records:
            fill(records, [HELD, DONE] * (number // 2))
            statements: list[str] = []
            engine = records.database.engine
            sa.event.listen(
                engine, "before_cursor_execute", lambda *said, to=statements: to.append(said[2])
            )
            page = views.studies(records, size=number)
            assert len(page.studies) == number
            assert all(len(study.workitems) == 2 for study in page.studies)
            counts.append(len(statements))
    assert counts[0] == counts[1] <= 10


@given(
    states=st.lists(st.sampled_from([HELD, DONE]), max_size=25),
    size=st.integers(1, 10),
    unfinished=st.booleans(),
)
@settings(max_examples=30, deadline=None)
def test_the_pages_hold_every_study_once(
    states: list[WorkitemState], size: int, unfinished: bool
) -> None:
    """The first page holds unfinished ones of later pages as well."""
    with closing(Records("sqlite://")) as records:
        fill(records, states)
        wanted = [n for n, state in enumerate(states) if state is HELD or not unfinished][::-1]
        first = views.studies(records, 1, unfinished, size)
        pages = [first, *(views.studies(records, n, unfinished, size) for n in _rest(first))]
        seen = [number for page in pages for number in uids(page)[:size]]
        assert seen == wanted
        beyond = [n for n in wanted[size:] if states[n] is HELD][:size]
        assert uids(first)[size:] == ([] if unfinished else beyond)
        assert (first.total, first.unfinished) == (len(states), states.count(HELD))
        with pytest.raises(HilumError, match=f"no page {len(pages) + 1}; the last one is"):
            views.studies(records, len(pages) + 1, unfinished, size)


def _rest(first: views.StudyPage) -> range:
    return range(2, first.pages + 1)


def test_each_study_is_shown_with_what_is_its_own(records: Records) -> None:
    fill(records, [HELD] * 5)
    for study in views.studies(records).studies:
        run, not_run = sorted(study.workitems, key=lambda item: item.id, reverse=True)
        uid = study.study_uid
        assert (run.id, not_run.id) == (f"w{uid}", f"n{uid}")
        assert [result.identity for result in run.results] == [f"r{uid}"]
        assert [delivery.workitem_id for delivery in run.deliveries] == [run.id]
        assert (not_run.results, not_run.deliveries) == ((), ())
        assert (study.removed is not None) == study.corrected == (int(uid) % 3 == 0)
        assert study == views.study(records, uid)


def test_status_names_the_command_for_the_next_page(records: Records, tmp_path: Path) -> None:
    fill(records, [HELD, *[DONE] * (2 * views.PAGE)])

    def status(*words: str) -> str:
        arguments = ["status", "-c", str(tmp_path / "hilum.toml"), *words]
        ended = CliRunner().invoke(app, arguments, env={"COLUMNS": "999"})
        return ended.stdout + str(ended.exception or "")

    first = status()
    assert "201 studies, page 1/3, 1 unfinished" in first
    assert "  held  m 1.2.3" not in first
    assert first.count("  0  3 images  held") == 1  # though it came first of all
    for told in ("hilum status --page 2", "hilum status --unfinished"):
        assert f"`{told}`" in first
    assert status("--page", "3").count("images  ") == 2
    assert "there is no page 4; the last one is 3" in status("--page", "4")
    alone = status("--unfinished")
    assert (alone.count("held"), alone.count("completed")) == (1, 1)  # why another did not run
    shown = json.loads(status("--json", "--page", "2"))
    assert [shown[key] for key in ("page", "pages", "total", "unfinished")] == [2, 3, 201, 1]


async def answers(site: Site, records: Records, *pages: dict[str, str]) -> list[httpx.Response]:
    """What the API of the console answers to requests for the list with these parameters."""
    transport = httpx.ASGITransport(application(site, records))
    with signed_in(site) as known:
        headers = known.headers
    async with httpx.AsyncClient(
        transport=transport, base_url="http://localhost", headers=headers
    ) as client:
        return [await client.get("/api/v1/studies", params=page) for page in pages]


def test_the_api_gives_pages(records: Records, tmp_path: Path) -> None:
    fill(records, [HELD, *[DONE] * views.PAGE])
    wanted = ({}, {"page": "2"}, {"unfinished": "1"}, {"page": "3"})
    odd = tuple({"page": text} for text in ("", "x", "-1", "1.5", "\u00b2", "9" * 5000))
    site = parse({"data": str(tmp_path)})
    got = asyncio.run(answers(site, records, *wanted, *odd))
    first, last, alone = (answer.json() for answer in got[:3])
    assert (len(first["studies"]), first["pages"]) == (views.PAGE + 1, 2)
    assert [study["study_uid"] for study in last["studies"]] == ["0"]
    assert [study["study_uid"] for study in alone["studies"]] == ["0"]
    assert got[3].status_code == 404
    assert {a.status_code for a in got[4:]} == {422}
