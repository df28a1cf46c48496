"""Rules are changed in the console: shown before, saved once, kept as versions, taken back."""

import re
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from starlette.datastructures import FormData

from factory import a_study, mr_slices, put, write
from hilum.audit import AuditedAct, AuditOutcome, AuditStore, audit_file
from hilum.config import load
from hilum.config.file import SettingsFile
from hilum.config.site import Rule
from hilum.config.versions import SettingsVersions
from hilum.console.forms import fields_of, values_of
from hilum.inbox import Inbox
from hilum.people.roles import UserRole
from hilum.records.states import RequestAction

from .house import HIDDEN, House, a_house_with_file

MISSED = "/rules/missed"
EDIT = "/rules/edit/hippocampal-volume"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with a_house_with_file(tmp_path) as made:
        yield made


def file_of(house: House) -> SettingsFile:
    return SettingsFile(house.site.data.parent / "hilum.toml")


def form_of(page: str, which: str = "form") -> dict[str, list[str]]:
    """What a browser would send of one of the forms of a page."""
    forms = re.findall(r"<form method=\"post\".*?</form>", page, re.DOTALL)
    form = next(f for f in forms if f'name="as" value="{which}"' in f)
    sent: dict[str, list[str]] = {}
    for tag in re.findall(r"<input [^>]*>", form):
        name, value = (re.search(rf'{key}="([^"]*)"', tag) for key in (" name", "value"))
        if name and ("checkbox" not in tag or " checked" in tag):
            sent.setdefault(name[1], []).append(value[1] if value else "")
    for name, options in re.findall(r"<select [^>]*name=\"(.*?)\".*?>(.*?)</select>", form):
        chosen = re.search(r"<option selected>(.*?)<", options)
        sent[name] = [chosen[1] if chosen else ""]
    areas = r"<textarea [^>]*name=\"(\w+)\".*?>\n?(.*?)</textarea>"
    for name, text in re.findall(areas, form, re.DOTALL):
        sent[name] = [text.replace("&#34;", '"').replace("\n", "\r\n")]
    return sent


def change(
    client: httpx.Client, do: str, address: str = EDIT, **more: str | list[str]
) -> httpx.Response:
    sent = form_of(client.get(address).text) | more
    return client.post(address, data=sent | {"do": do})


def test_a_change_is_shown_then_saved_then_followed(house: House) -> None:
    before = file_of(house).read().text
    with house.client() as client:
        shown = change(client, "try", series="SeriesDescription = ^T1\r\n", why="MR1 was renamed")
        assert shown.status_code == 200, shown.text
        assert "-series = { SeriesDescription = &#34;^Crop&#34; }" in shown.text
        assert "+series = { SeriesDescription = &#34;^T1&#34; }" in shown.text
        assert file_of(house).read().text == before, "nothing is saved yet"
        saved = client.post(EDIT, data=form_of(shown.text) | {"do": "save"})
        assert saved.headers["location"] == "/rules/versions/2"
        version = client.get("/rules/versions/2").text
        assert "MR1 was renamed" in version
        assert "Look which studies of the last week" in version
        assert "SeriesDescription matches <code>^T1</code>" in client.get("/rules").text
    assert file_of(house).read().text == before.replace("^Crop", "^T1")
    kept = SettingsVersions(house.site.data).one(2)
    assert kept and kept.text == file_of(house).read().text
    assert kept.by.startswith("test-")
    with closing(AuditStore(audit_file(house.site.data))) as store:
        [entry] = [e for e in store.after(0, 100) if e.act is AuditedAct.SETTINGS_CHANGED]
    assert entry.outcome is AuditOutcome.ASKED
    assert '+series = { SeriesDescription = "^T1" }' in entry.reason


def test_the_second_of_two_editors_is_refused_and_keeps_their_words(house: House) -> None:
    with house.client() as one, house.client() as other:
        mine, yours = (form_of(client.get(EDIT).text) for client in (one, other))
        assert one.post(EDIT, data=mine | {"do": "save", "priority": "HIGH"}).status_code == 303
        refused = other.post(EDIT, data=yours | {"do": "save", "tilt": "resample"})
        assert refused.status_code == 409
        assert "was changed meanwhile by somebody else" in refused.text
        assert "-priority = &#34;HIGH&#34;" in refused.text, "their form says what it would undo"
        assert load(file_of(house).path).rule[0].tilt == "refuse"
        again = form_of(refused.text) | {"do": "save", "priority": "HIGH"}
        assert other.post(EDIT, data=again).status_code == 303
    rule = load(file_of(house).path).rule[0]
    assert (rule.priority, rule.tilt) == ("HIGH", "resample")


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("series", "SeriesDescripton = x", "not a DICOM keyword"),
        ("series", "SeriesDescription", "Each line as in"),
        ("series", "SeriesDescription = (", "not a regular expression"),
        ("quiet_seconds", "soon", "A number, not"),
        ("quiet_seconds", "-1", "More than 0 is needed"),
        ("name", "my rule", "A name has 1 to 32 letters"),
        ("priority", "NOW", "STAT"),
        ("module", "nothing", "not installed"),
        ("name", f"{HIDDEN}", "A name has 1 to 32 letters"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(
    house: House, field: str, value: str, words: str
) -> None:
    before = file_of(house).read().text
    with house.client() as client:
        answer = change(client, "save", **{field: value})
    assert answer.status_code == 422
    assert words in answer.text
    if field != "module":
        assert f'aria-describedby="field-{field}-help field-{field}-problem"' in answer.text
    assert "<script>document" not in answer.text
    assert file_of(house).read().text == before


def test_parameters_keep_their_types_in_a_form() -> None:
    parameters = {"threshold": 0.5, "sides": ["left", "right"], "colour": "red", "fast": True}
    parameters |= {"window": {"centre": 40, "of": {"a": 1}}, "steps": [{"a": 1}], "lines": "a\nb"}
    [field] = [one for one in fields_of(Rule, {"parameters": parameters}) if one.shape == "values"]
    assert field.text.splitlines()[0] == "threshold = 0.5"
    typed = field.text.replace('"red"', "blue")  # quotes are easily forgotten
    sent = FormData({"module": "m", "parameters": typed})
    assert values_of(Rule, sent, {})["parameters"] == parameters | {"colour": "blue"}


def test_a_rule_is_changed_as_text_added_and_removed(house: House) -> None:
    with house.client() as client:
        sent = form_of(client.get(EDIT).text, "text")
        assert sent["lines"][0].startswith("# Heads come from MR1.\r\n[[rule]]\r\n")
        lines = sent["lines"][0].replace("MR1", "MR2").replace("^Crop", "^T1")
        assert client.post(EDIT, data=sent | {"lines": lines, "do": "save"}).status_code == 303
        text = file_of(house).read().text
        assert "# Heads come from MR2.\n[[rule]]\n" in text
        assert "\r" not in text
        wrong = client.post(EDIT, data=sent | {"lines": "[[rule]", "do": "save"})
        assert wrong.status_code == 422
        assert "not TOML" in wrong.text
        more = {"module": "chest-radiograph", "name": "films", "series": "Modality = CR"}
        assert change(client, "save", "/rules/add", **more).status_code == 303
        assert list(load(file_of(house).path).rules_by_name)[2] == "films"
        gone = form_of(client.get("/rules/edit/films").text, "nothing")
        assert client.post("/rules/edit/films", data=gone | {"do": "save"}).status_code == 303
        assert file_of(house).read().text == text
        assert client.get("/rules/edit/films").status_code == 404


def test_the_way_back_is_a_version_of_its_own(house: House) -> None:
    before = file_of(house).read().text
    with house.client() as client:
        assert change(client, "save", priority="STAT").status_code == 303
        page = client.get("/rules/versions/1").text
        assert "-priority = &#34;STAT&#34;" in page
        based_on = re.search(r'name="based_on" value="(\w+)"', page)
        assert based_on
        sent = {"based_on": based_on[1]}
        back = client.post("/rules/versions/1", data=sent)
        assert back.headers["location"] == "/rules/versions/3"
        assert "Back to version 1." in client.get("/rules/versions/3").text
        assert client.post("/rules/versions/2", data=sent).status_code == 409
        assert client.get("/rules/versions/9").status_code == 404
        listed = client.get("/rules/versions").text
        assert [f"Version {n}" in listed for n in (1, 2, 3)] == [True] * 3
    assert file_of(house).read().text == before


def test_passwords_are_masked_in_every_difference(house: House) -> None:
    file = file_of(house)
    text = file.read().text
    SettingsVersions(house.site.data).keep(text.replace("hunter2", "hunter3"), 2.0)
    with house.client() as client:
        for path in ("/rules", "/rules/versions", "/rules/versions/1", "/rules/versions/2", EDIT):
            assert "hunter" not in client.get(path).text


@pytest.mark.parametrize("role", [UserRole.VIEWER, UserRole.READER, UserRole.OPERATOR])
def test_others_than_administrators_change_nothing(house: House, role: UserRole) -> None:
    with house.client(role) as client:
        assert "/rules/edit/" not in client.get("/rules").text
        for path in ("/rules/add", EDIT, "/rules/versions", "/rules/versions/1"):
            assert client.get(path).status_code == 403
            assert client.post(path, data={"do": "save"}).status_code in (403, 405)


def test_what_would_change_and_what_was_missed(house: House, tmp_path: Path) -> None:
    slices = mr_slices(count=40, description="T1 head")
    inbox = Inbox(house.site.data)
    for path in write(slices, tmp_path / "exam"):
        inbox.store(path.read_bytes())
    uid = slices[0].StudyInstanceUID
    folder = inbox.study_folder(uid).name
    at = time.time()
    row = a_study(study_uid=uid, folder=folder, images=40, settled_images=40, last_at=at)
    put(house.records, row)
    with house.client() as client:
        shown = change(client, "try", series="SeriesDescription = ^T1")
        assert "1 of 1 study would be treated otherwise" in shown.text
        assert "hippocampal-volume: analyse" in shown.text
        assert "0 studies of the last 7 days would be analysed now" in client.get(MISSED).text
        assert client.post(EDIT, data=form_of(shown.text) | {"do": "save"}).status_code == 303
    with house.client(UserRole.OPERATOR) as client:
        offered = client.get(MISSED).text
        assert "1 study of the last 7 days would be analysed now" in offered
        assert f"/studies/{house.records.identifiers.addresses([uid])[uid]}" in offered
        assert "0 studies" in client.get(MISSED, params={"rule": "chest-radiograph"}).text
        assert client.post(MISSED).status_code == 422
        address = house.records.identifiers.addresses([uid])[uid]
        asked = client.post(MISSED, data={"study": [address, "zzzzzzzzzzzz"]}).text
        assert "Asked for 1 study." in asked
        assert "0 studies of the last 7 days" in asked
    [wanted] = house.records.requests.waiting()
    assert (wanted.action, wanted.study_uid) == (RequestAction.RERUN, uid)
    with house.client(UserRole.READER) as client:
        assert client.get(MISSED).status_code == 403
