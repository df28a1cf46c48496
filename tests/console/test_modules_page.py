"""The page of a module: what it did, how it failed, its versions beside each other, its card."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import pytest
from annotated_types import Ge

from factory import a_study, a_workitem, put
from hilum.audit import AuditedAct, AuditStore, audit_file
from hilum.config import parse
from hilum.console.cards import rendered, shown
from hilum.console.known import KnownModules
from hilum.hosts.scratch import TRACEBACK
from hilum.module import EarlierExams, Films, FindingsOf, Input, ModuleFacts
from hilum.module.description import ModulePage
from hilum.module.takes import need_in_words, taken_by
from hilum.people.roles import UserRole
from hilum.records import Records, views
from hilum.records.states import EventKind, PausedKind, WorkitemState
from hilum.summary.numbers import MeasurementSummary
from hilum.summary.remarks import RefusalSummary
from tests.core.test_alarms import DAY

from .house import HIDDEN, House
from .serving import serving
from .test_pages import text_of

NAME = "volumes"
PROBLEMS = {"odd": "odd:Module does not load: mend <it>"}
PLACE = "in an environment of its own: volumes==2, with /usr/bin/python3.12"
CARD = f"# Card\n\n**Weak** at night.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n{HIDDEN}\n"


@dataclass(frozen=True)
class Settings:
    threshold: Annotated[float, Ge(0)] = 0.5
    sides: tuple[Literal["left", "right"], ...] = ()
    name: str | None = None


class Volumes:
    name, version, title = NAME, "2", "Volumes"
    needs: ClassVar[Any] = {
        "series": Input("MR", slices=(24, 400), slice_spacing=(0.4, 3.0)),
        "other": FindingsOf("lungs"),
        "before": EarlierExams(most=3, optional=True),
    }
    parameters = Settings

    def run(self, **_given: Any) -> Iterator[Any]:
        yield from ()


@contextmanager
def a_house_with_a_module(tmp_path: Path) -> Iterator[House]:
    (tmp_path / "data").mkdir(mode=0o700)
    rule = {"module": NAME, "series": {"SeriesDescription": "^crop"}, "incomplete": "analyse"}
    site = parse({"data": str(tmp_path / "data"), "rule": [rule]})
    facts = ModuleFacts(NAME, "2", "Volumes", "b" * 64)
    with (
        closing(Records(f"sqlite:///{site.data}/hilum.db")) as records,
        serving(
            site,
            records,
            modules=KnownModules(
                (facts,),
                {NAME: ModulePage(CARD)},
                takes={NAME: taken_by(Volumes)},
                runs_in={NAME: PLACE},
                problems=PROBLEMS,
            ),
        ) as url,
    ):
        yield House(site, records, url)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with a_house_with_a_module(tmp_path) as made:
        yield made


def analysed(records: Records, number: int, at: float, **values: object) -> str:
    uid = f"1.7.{number}"
    known = {"version": "1", "weights_sha256": "a" * 64, "state": WorkitemState.COMPLETED}
    item = a_workitem(id=f"{uid}.1", study_uid=uid, module=NAME, created=at, **{**known, **values})
    put(records, a_study(study_uid=uid, folder=uid), item)
    for kind in (EventKind.RUNNING, EventKind.ANALYSED):
        records.events.add(uid, kind, "", item.id)
    return item.id


def volume(value: float) -> MeasurementSummary:
    return MeasurementSummary("Volume", value, "ml", of="Hippocampus", followed=True)


def test_where_a_module_runs_is_said(house: House) -> None:
    assert f"It runs {PLACE}." in house.get("/modules")
    assert PLACE in house.get(f"/modules/{NAME}")


def test_versions_stand_beside_each_other(house: House) -> None:
    now = time.time()
    for n in range(5):
        analysed(house.records, n, now - 9 * DAY + n, findings=(volume(3.0 + n / 10),))
    for n in range(5, 8):
        values = {"version": "2", "weights_sha256": "b" * 64, "findings": (volume(4.0),)}
        analysed(house.records, n, now - DAY + n, **values)
    analysed(house.records, 8, now - DAY, findings=(RefusalSummary("c", "Too thick."),))
    analysed(house.records, 9, now - 40 * DAY, findings=(volume(99.0),))
    history = views.module_history(house.records, NAME, now)
    new, old = history.versions
    assert (new.version, new.analyses, new.refused) == ("2", 3, 0)
    assert (old.version, old.analyses, old.refused, old.failed) == ("1", 6, 1, 0)
    [spread] = old.spreads
    assert (spread.name, spread.unit, spread.count) == ("Hippocampus, volume", "ml", 5)
    values = (spread.least, spread.low, spread.middle, spread.high, spread.greatest)
    assert values == pytest.approx((3.0, 3.1, 3.2, 3.3, 3.4))
    assert history.by_day.total == 9
    assert history.refusals == (("Too thick.", 1),)
    assert sum(one.count for one in history.times) == 9
    shown = text_of(house.get(f"/modules/{NAME}"))
    assert "1 aaaaaaaa 5 3.10 mL to 3.30 mL 3.20 mL" in shown
    assert "Too thick. 1" in shown
    assert "99.0" not in shown and "99.00" not in shown


def test_a_traceback_is_for_who_may_see_patients_and_a_look_at_it_is_on_record(
    house: House,
) -> None:
    failed = {"state": WorkitemState.FAILED, "failure": f"it raised {HIDDEN}"}
    workitem = analysed(house.records, 1, time.time(), **failed)
    folder = house.site.data / "results" / workitem
    folder.mkdir(parents=True)
    (folder / TRACEBACK).write_text("Traceback of MARKERID")
    place = f"/modules/{NAME}/failures/{workitem}"
    for role in (UserRole.READER, UserRole.VIEWER):
        shown = house.get(f"/modules/{NAME}", role)
        assert HIDDEN not in shown and "it raised &lt;script&gt;" in shown
        assert (place in shown) is (role is UserRole.READER)
        with house.client(role) as client:
            answer = client.get(place)
        assert ("MARKERID" in answer.text) is (role is UserRole.READER)
    with house.client() as client:
        assert client.get(f"/modules/other/failures/{workitem}").status_code == 404
        assert client.get(f"/modules/{NAME}/failures/..%2f..%2fhilum.db").status_code == 404
    with closing(AuditStore(audit_file(house.site.data))) as store:
        looks = [e for e in store.after(0, 100) if e.act is AuditedAct.OPENED]
    assert [look.object for look in looks if not look.reason] == [workitem]


def test_a_module_is_disabled_and_enabled_from_its_page(house: House) -> None:
    here = f"/modules/{NAME}"
    with house.client(UserRole.OPERATOR) as client:
        assert client.post(f"{here}/disable", data={"reason": "wrong sides"}).status_code == 303
        assert client.post("/modules/none/disable", data={"reason": "x"}).status_code == 404
        again = client.post(f"{here}/disable", data={"reason": "me, too"})
        assert again.status_code == 409
        assert "volumes is disabled already by" in text_of(again.text)
        assert "You wrote: me, too" in text_of(again.text)
        put(house.records, a_workitem(module=NAME, state=WorkitemState.SCHEDULED))
        for page in ("/modules", here):
            assert "wrong sides" in house.get(page, UserRole.VIEWER)
        assert "1 analysis waits" in text_of(client.get(here).text)
        assert "Module volumes is disabled by" in text_of(house.get("/"))
        assert client.post(f"{here}/enable").status_code == 303
    assert house.records.pauses.of(PausedKind.MODULE) == {}
    with house.client(UserRole.READER) as client:
        assert client.post(f"{here}/disable", data={"reason": "x"}).status_code == 403


def test_the_page_says_limits_rules_and_card(house: House) -> None:
    page = house.get(f"/modules/{NAME}")
    shown = unescape(text_of(page))
    assert "Number of slices 24 to 400 Distance of slices 0.4 to 3 mm" in shown
    assert "other Findings of the module lungs, on the same images" in shown
    assert "before Earlier exams of the patient the latest 3, of the same kind as series" in shown
    assert "threshold a number, at least 0; 0.5 if no rule sets it" in shown
    assert 'sides a list; each entry is "left" or "right"; [] if no rule sets it' in shown
    assert "name text or nothing; nothing if no rule sets it" in shown
    assert "series SeriesDescription: ^crop incomplete analyse" in shown and "b" * 64 in shown
    assert "<strong>Weak</strong> at night." in page and "<td>2</td>" in page
    assert "<h3>Card</h3>" in page
    assert "<script>document" not in page
    assert "It has analysed nothing in this time." in shown


def test_a_card_that_is_no_page_is_shown_as_it_is() -> None:
    card = ModulePage('title = "Brain" # <b>\n', is_toml=True)
    assert shown(card) == "<pre>title = &#34;Brain&#34; # &lt;b&gt;\n</pre>\n"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("<b onclick=x>a</b>", "<p>&lt;b onclick=x&gt;a&lt;/b&gt;</p>\n"),
        ("[a](javascript:alert(1))", "<p>[a](javascript:alert(1))</p>\n"),
        ("[a](../secret)", "<p>[a](../secret)</p>\n"),
        ("[a](https://b.example)", '<p><a href="https://b.example">a</a></p>\n'),
        ("![a](https://b.example/c.png)", '<p>!<a href="https://b.example/c.png">a</a></p>\n'),
        ("##### five", "<h6>five</h6>\n"),
    ],
)
def test_a_card_cannot_act_in_the_page(text: str, wanted: str) -> None:
    assert rendered(text) == wanted


def test_what_a_module_takes_is_said_in_words() -> None:
    assert need_in_words(Films()) == (("Images", "all radiographs of a study (CR or DX)"),)
    whole = Input("MR", echo_time=(1.0, 9.5), b_value=(0, 50), tilt="resample")
    said = dict(need_in_words(whole))
    assert said["Echo time"] == "1 to 9.5 ms"
    assert said["b-value"] == "0 to 50 s/mm²"
    assert said["Tilted gantry"] == "laid on a right-angled grid"
