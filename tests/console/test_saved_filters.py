"""Saved filters on the page of all studies: saved, marked when changed, shared, deleted."""

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from hilum.audit import AuditedAct, AuditStore, ObjectType, audit_file
from hilum.audit.store import AuditFilter
from hilum.console.guard import cookie_name
from hilum.people.roles import UserRole
from hilum.people.sessions import form_token
from hilum.records.states import WorkitemState
from tests.signing_in import session_of

from .house import House, a_house


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with a_house(tmp_path) as made:
        made.study(WorkitemState.FAILED)
        yield made


class Browser:
    """A browser without scripts, in which somebody is signed in."""

    def __init__(self, house: House, role: UserRole, name: str) -> None:
        key = session_of(house.site, role, name)
        self.token = form_token(key)
        self.client = httpx.Client(base_url=house.url, follow_redirects=True)
        self.client.cookies.set(cookie_name(house.site.console), key)

    def get(self, path: str) -> str:
        return self.client.get(path).text

    def post(self, path: str, **fields: str) -> httpx.Response:
        return self.client.post(path, data={"form_token": self.token, **fields})

    def saved(self) -> list[str]:
        found = re.findall(r'<nav class="tabs saved".*?</nav>', self.get("/studies"), re.DOTALL)
        return [" ".join(one.split()) for one in re.findall(r">([^<>]+)<", found[0]) if one.strip()]


@pytest.fixture
def reader(house: House) -> Iterator[Browser]:
    browser = Browser(house, UserRole.READER, "reader")
    yield browser
    browser.client.close()


@pytest.fixture
def boss(house: House) -> Iterator[Browser]:
    browser = Browser(house, UserRole.ADMINISTRATOR, "boss")
    yield browser
    browser.client.close()


def test_a_filter_is_saved_marked_when_changed_and_deleted(reader: Browser) -> None:
    assert "Save this filter" in reader.get("/studies?state=failed")
    shown = reader.post("/studies/filters", query="state=failed&page=7", name="Failures")
    assert re.search(r"/studies\?state=failed&view=[\w-]+$", str(shown.url))
    assert "changed</span>" not in shown.text
    view = str(shown.url).rpartition("=")[2]
    changed = reader.get(f"/studies?state=held&view={view}")
    assert "changed</span>" in changed
    assert "Go back to Failures as it was saved" in changed
    assert "Save Failures" in changed
    reader.post("/studies/filters", query=f"state=held&view={view}", name="Failures")
    assert "changed</span>" not in reader.get(f"/studies?state=held&view={view}")
    reader.post(f"/studies/filters/{view}/remove")
    assert reader.saved() == ["All"]


def test_administrators_save_for_everybody(reader: Browser, boss: Browser) -> None:
    refused = reader.post("/studies/filters", query="state=held", name="mine", everybody="yes")
    assert refused.status_code == 403
    shown = boss.post("/studies/filters", query="state=held", name="Held", everybody="yes")
    view = str(shown.url).rpartition("=")[2]
    assert reader.saved() == ["All", "Held", "for all"]
    page = reader.get(f"/studies?state=failed&view={view}")
    assert "Save Held" not in page and "Save as" in page
    assert reader.post(f"/studies/filters/{view}/remove", everybody="yes").status_code == 403
    reader.post(f"/studies/filters/{view}/remove")
    assert reader.saved() == ["All", "Held", "for all"]
    boss.post(f"/studies/filters/{view}/remove", everybody="yes")
    assert reader.saved() == ["All"]


def test_what_is_for_everybody_is_on_record(house: House, reader: Browser, boss: Browser) -> None:
    reader.post("/studies/filters", query="state=held", name="mine")
    for query in ("state=held", "state=failed"):
        shown = boss.post("/studies/filters", query=query, name=" Ours ", everybody="yes")
    view = str(shown.url).rpartition("=")[2]
    boss.post("/studies/filters", query="", name=" ", everybody="yes")
    for number in (view, view, "unknown"):
        boss.post(f"/studies/filters/{number}/remove", everybody="yes")
    with closing(AuditStore(audit_file(house.site.data))) as store:
        noted = store.latest(AuditFilter(act=AuditedAct.SETTINGS_CHANGED), 9)
    assert {entry.object_type for entry in noted} == {ObjectType.FILTER}
    assert [(e.person, e.object, e.reason) for e in reversed(noted) if e.outcome != "failed"] == [
        ("boss", "Ours", "saved: state=held"),
        ("boss", "Ours", "saved: state=failed"),
        ("boss", "", "saved: all studies"),
        ("boss", "Ours", "deleted; it was: state=failed"),
    ]
    [failed] = [entry for entry in noted if entry.outcome == "failed"]
    assert "needs a name" in failed.reason


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"query": "sort=backwards", "name": "x"}, "This is no filter of the list of studies"),
        ({"query": "state=" + "x" * 40, "name": "x"}, "This is no filter of the list of studies"),
        ({"query": "state=held", "name": " "}, "needs a name"),
    ],
)
def test_what_cannot_be_saved_is_refused(
    reader: Browser, fields: dict[str, str], words: str
) -> None:
    answer = reader.client.post(
        "/studies/filters",
        data={"form_token": reader.token, **fields},
        headers={"Accept": "text/html"},
    )
    assert answer.status_code == 422
    assert words in answer.text


def test_nothing_of_a_patient_is_saved(reader: Browser) -> None:
    query = "state=failed&patient_name=Marker&patient_id=MARKER&words=Marker"
    shown = reader.post("/studies/filters", query=query, name="Failures")
    assert "arker" not in str(shown.url)
    assert "MARKER" not in reader.get("/studies")


def test_a_name_cannot_act_in_the_page(reader: Browser) -> None:
    hidden = "<script>document.title = 'mine'</script>"
    assert hidden not in reader.post("/studies/filters", query="", name=hidden).text


def test_a_search_shows_no_saved_filters(reader: Browser) -> None:
    reader.post("/studies/filters", query="state=failed", name="Failures")
    found = reader.post("/finds", reason="nothing like this")
    assert "/finds/" in str(found.url)
    assert "Failures" not in found.text


def test_an_empty_list_says_where_hilum_listens(tmp_path: Path) -> None:
    with a_house(tmp_path) as empty:
        assert "No study has come yet. Hilum listens as <code>HIPPOAI on" in empty.get("/studies")
