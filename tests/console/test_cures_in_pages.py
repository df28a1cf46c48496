"""What the command line says with a command, a page says with its own place, and leads there."""

import re
from collections.abc import Iterator

import pytest

from factory import a_delivery, put
from hilum.console.acts import OF_STUDY, OFFERED
from hilum.console.commands import ACTS, PAGES, in_place_of
from hilum.console.rendering import in_console
from hilum.people.roles import UserRole
from hilum.records.states import DeliveryState, WorkitemState
from hilum.why.explanation import Cure, CureKind

from .house import House, a_house

ADDRESSES = {"1.2.3": "k7q2", "12345678": "k7q2"}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with a_house(tmp_path_factory.mktemp("house")) as made:
        yield made


@pytest.mark.parametrize(
    ("command", "label", "path"),
    [
        ("hilum destinations", "Network", "/network#to"),
        ("hilum trace 1.2.3", "Study k7q2", "/studies/k7q2"),
        ("hilum release 12345678", "Send again", "/studies/k7q2"),
        ("hilum decide 1.2.3", "Patients of study k7q2", "/studies/k7q2/patients"),
        ("hilum retry 12345678", "Run again", "/studies/k7q2"),
        ("hilum begin 12345678", "Begin now", "/studies/k7q2"),
        ("hilum rerun 1.2.3", "Run again", "/studies/k7q2"),
        ("hilum analyse --incomplete 1.2.3", "Analyse what is here", "/studies/k7q2"),
        ("hilum fetch", "Why not?", "/why"),
        ("hilum fetch 1.2.3 --from pacs", "Fetch it from pacs", ""),
        ("hilum release", "Send again", ""),
        ("hilum release --destination pacs", "Send again", "/network/destinations/pacs#parked"),
        (
            "hilum resume pacs --kind source",
            "Let pacs go on",
            "/network/sources/pacs#pause-title",
        ),
        ("hilum modules enable m", "Enable m", "/modules/m"),
        ("hilum send-on 12345678 --to DESTINATION", "Send elsewhere", "/studies/k7q2"),
        ("hilum check", "Settings", "/settings"),
    ],
)
def test_a_place_of_the_console_stands_for_a_command(command: str, label: str, path: str) -> None:
    place = in_place_of(command, ADDRESSES)
    assert place and (place.label, place.path) == (label, path)


def test_a_cure_that_says_no_more_than_its_place_is_said_once() -> None:
    fetch = Cure(CureKind.FETCH, "fetch it from pacs", "hilum fetch 1.2.3 --from pacs")
    assert in_console(fetch) == "`hilum fetch 1.2.3 --from pacs`"
    more = Cure(CureKind.RELEASE, "do what is said of pacs, then send it again", "hilum release 1")
    assert in_console(more) == str(more)


@pytest.mark.parametrize(
    "command",
    ["hilum serve", "hilum trace 9.9", "hilum release 87654321", "", "rule.tilt"],
)
def test_what_has_no_place_stays_a_command(command: str) -> None:
    assert in_place_of(command, ADDRESSES) is None


def test_every_place_is_there_and_every_button_is_offered(house: House) -> None:
    for place in PAGES.values():
        path, _, part = place.path.partition("#")
        assert not part or f'id="{part}"' in house.get(path)
    on_pages = {act for acts in (*OFFERED.values(), OF_STUDY) for act in acts}
    assert set(ACTS.values()) <= on_pages


def test_an_alarm_leads_to_its_study_and_to_what_sends_it_again(house: House) -> None:
    address = house.study(WorkitemState.PARKED)
    (item,) = house.records.workitems.of_study(house.records.search.at(address).study_uid)
    put(house.records, a_delivery(item.id, destination="out", state=DeliveryState.REFUSED))
    text = house.get("/", UserRole.VIEWER)
    assert f'See in <a href="/studies/{address}">Study {address}</a> why, and what to do' in text
    place = "/network/destinations/out"
    assert f'<a href="{place}#parked">Send again</a> sends them again' in text
    assert address in house.get(place) and 'id="parked"' in house.get(place)
    assert "hilum trace" not in text and "hilum release" not in text


def test_a_reason_with_a_command_names_the_button_of_the_page(house: House) -> None:
    address = house.study(WorkitemState.PARKED)
    (item,) = house.records.workitems.of_study(house.records.search.at(address).study_uid)
    reason = "correct it <there>, then `hilum release`; set `proof`"
    put(
        house.records,
        a_delivery(item.id, destination="out", state=DeliveryState.REFUSED, reason=reason),
    )
    text = house.get(f"/studies/{address}")
    assert "correct it &lt;there&gt;, then <b>Send again</b>; set <code>proof</code>" in text
    assert re.search(r"<button[^>]*>Send again</button>", text)


def test_why_not_leads_to_the_button(house: House) -> None:
    address = house.study(WorkitemState.PARKED)
    (item,) = house.records.workitems.of_study(house.records.search.at(address).study_uid)
    put(house.records, a_delivery(item.id, destination="out", state=DeliveryState.REFUSED))
    with house.client() as client:
        text = client.post("/why", data={"wanted": address}).text
    assert f'then send it again: <a href="/studies/{address}">Send again</a>.' in text
