"""`/health` says whether Hilum does its work, and the page and `hilum status` show each alarm."""

import json
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from factory import a_workitem, put
from hilum.alarms.log import AlarmLog
from hilum.cli import app
from hilum.config import parse
from hilum.config.site import Site
from hilum.dicom.doubt import DIFFERENT
from hilum.records import Records
from hilum.records.states import WorkitemState
from hilum.rejections import Rejection, RejectionKind
from tests.browser import CHROMIUM, Reader
from tests.patience import until
from tests.signing_in import browse_as

from .serving import serving

HIDDEN = "<script>document.title = 'mine'</script>"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "data").mkdir(mode=0o700)
    (tmp_path / "hilum.toml").write_text(f'data = "{tmp_path}/data"\nreceiver.low_water_mb = 0\n')
    return parse({"data": str(tmp_path / "data"), "receiver": {"low_water_mb": 0}})


@pytest.fixture
def records(site: Site) -> Iterator[Records]:
    with closing(Records(f"sqlite:///{site.data}/hilum.db")) as opened:
        yield opened


def hold(records: Records, number: int = 1) -> None:
    item = {"state": WorkitemState.HELD, "reason": DIFFERENT}
    put(records, a_workitem(id=f"w{number}", study_uid=f"1.2.{number}", **item))


def reject(records: Records, caller: str) -> None:
    reason = f"calling AE title is not among receiver.allowed_callers {HIDDEN}"
    at = (time.time(), RejectionKind.CALLER, "10.0.0.1", caller, "HILUM", reason)
    records.rejections.note([Rejection.at(*at)])


def health(url: str) -> tuple[int, str, list[str]]:
    answer = httpx.get(f"{url}/health")
    assert answer.headers["Cache-Control"] == "no-store"
    said = answer.json()
    assert {frozenset(alarm) for alarm in said["alarms"]} <= {
        frozenset({"name", "severity", "since"})
    }
    return answer.status_code, said["status"], [alarm["name"] for alarm in said["alarms"]]


def test_health_follows_the_gravest_alarm(site: Site, records: Records) -> None:
    with serving(site, records) as url:
        assert health(url) == (200, "ok", [])
        hold(records)
        assert health(url) == (200, "degraded", ["patients"])
        put(records, a_workitem(id="w", created=time.time() - 61))  # and no worker runs
        assert health(url) == (503, "failing", ["engine", "patients"])
        records.moves.set_state("w", WorkitemState.CANCELLED)
        records.moves.set_state("w1", WorkitemState.CANCELLED)
        assert health(url) == (200, "ok", [])


def test_records_that_do_not_answer_are_said_in_time(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        closing(Records(f"sqlite:///{site.data}/hilum.db", patience=3.0)) as records,
        serving(site, records) as url,
    ):
        assert health(url) == (200, "ok", [])
        monkeypatch.setattr("hilum.console.patience.PATIENCE_SECONDS", 0.2)
        with records.database.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA locking_mode=EXCLUSIVE")
            connection.exec_driver_sql("DELETE FROM alarm")
            records.database.engine.pool.dispose()
            for _ in range(5):  # more than threads that may wait
                assert health(url) == (503, "failing", ["records"])
            assert httpx.get(f"{url}/metrics").status_code == 503
            connection.rollback()
            connection.invalidate()
        until(lambda: health(url) == (200, "ok", []), "records that answer again")


def test_status_shows_how_grave_since_when_and_the_cure(site: Site, records: Records) -> None:
    hold(records)
    reject(records, "MR1")
    AlarmLog(site, records).check()
    config = str(site.data.parent / "hilum.toml")
    shown = CliRunner().invoke(app, ["status", "-c", config], env={"COLUMNS": "999"}).stdout
    first, second = shown.splitlines()[:2]
    assert first.startswith("alarm since 2")
    assert ", error: 1 sender was rejected within the last hour, the last one MR1" in first
    assert first.endswith("; `hilum status` lists what was rejected, why, and what to do about it")
    assert ", warning: it is not certain whose the images are in 1 study; it waits" in second
    assert "see in `hilum decide 1.2.1` whose they are" in second
    told = json.loads(CliRunner().invoke(app, ["status", "-c", config, "--json"]).stdout)["alarms"]
    assert {tuple(alarm) for alarm in told} == {
        ("name", "severity", "text", "cure", "since", "studies")
    }


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
def test_the_page_shows_alarms_also_many_of_them_on_a_narrow_screen(
    site: Site, records: Records, tmp_path: Path
) -> None:
    with serving(site, records) as url, Reader(width=1200) as reader:
        page = reader.page
        browse_as(page, site, url=url)
        page.goto(url)
        page.wait_for_selector("text=All is well.")
        assert page.locator(".alarms").count() == 0
        reader.screenshot(tmp_path / "none.png")
        for number in range(7):
            hold(records, number)
        reject(records, "MR1")
        put(records, a_workitem(id="w", created=time.time() - 61))
        AlarmLog(site, records).check()
        page.wait_for_selector("text=3 alarms")
        rows = page.locator(".alarms li")
        assert [" ".join(row.split()[:3]) for row in rows.all_inner_texts()] == [
            "critical 1 analysis",
            "error 1 sender",
            "warning It is",
        ]
        assert all(" for " in text for text in rows.all_inner_texts())
        assert HIDDEN in rows.nth(1).inner_text()
        assert page.title() == "Now · Hilum"
        assert "hilum decide 1.2.0" in rows.nth(2).locator("code").all_inner_texts()
        reader.screenshot(tmp_path / "many.png")
        page.emulate_media(color_scheme="dark")
        page.set_viewport_size({"width": 360, "height": 900})
        page.wait_for_timeout(1100)  # drawn anew
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        reader.screenshot(tmp_path / "narrow.png")
        assert reader.errors == []
