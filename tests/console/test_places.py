"""Destinations, sources and notifiers are added and changed by forms: tested first, then saved."""

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from pydantic import Field, SecretStr
from starlette.datastructures import FormData

from factory import a_delivery, a_workitem, put
from hilum.audit import AuditedAct, AuditStore, audit_file
from hilum.config import load
from hilum.config.fields import Settings
from hilum.console.forms import fields_of, refilled, values_of
from hilum.console.places import NetworkPlace
from hilum.people.roles import UserRole
from hilum.records.states import DeliveryState
from hilum_lab.archives.dicomweb import DicomwebArchive
from tests.worklists.manager import WorklistManager, by_http

from .house import HIDDEN, House, a_house_with_file
from .test_pages import text_of

TEXT = """\
# Our network
data = "{folder}/data"

[[destination]]
name = "out" # where they collect
kind = "folder"
folder = "{folder}/out"

[[rule]]
module = "hippocampal-volume"
send_to = ["out"]
"""
ADD_FOLDER = "/network/add/destinations/folder"
EDIT = "/network/destinations/out/settings"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with a_house_with_file(tmp_path, TEXT) as made:
        yield made


@pytest.fixture
def client(house: House) -> Iterator[httpx.Client]:
    with house.client() as client:
        yield client


def file_of(house: House) -> Path:
    return house.site.data.parent / "hilum.toml"


def sent(client: httpx.Client, path: str, do: str = "save", **values: object) -> httpx.Response:
    """What comes of a form that is filled in with `values`, and begun just now."""
    page = client.get(path)
    assert page.status_code == 200, page.text
    based_on = re.search(r'name="based_on" value="(\w+)"', page.text)
    assert based_on
    form = {"as": "form", "do": do, "based_on": based_on[1]}
    return client.post(path, data={**form, **values})


def test_every_kind_has_a_form_made_from_its_settings(client: httpx.Client) -> None:
    shown = client.get("/network/add").text
    for place in NetworkPlace:
        for kind, cls in place.kinds.usable().items():
            path = f"/network/add/{place}/{kind}"
            assert f'href="{path}"' in shown
            page = client.get(path).text
            for name, field in cls.settings.model_fields.items():
                if name != "kind" and name not in ("tls", "oauth2"):
                    assert f'name="{name}"' in page, (kind, name)
                    words = (field.description or "").partition("`")[0].partition("'")[0]
                    assert words.strip() in text_of(page), (kind, name)
    assert 'name="tls.ca_file"' in client.get("/network/add/destinations/dimse").text
    record = text_of(client.get("/network/add/destinations/fhir").text)
    assert "One a line, such as HOSPITAL = urn:oid:2.999.1" in record
    worklist = text_of(client.get("/network/add/worklists/ups-rs").text)
    assert "One a line, such as HIPPOCAMPUS^99HOSPITAL = hippocampal-volume" in worklist
    assert client.get("/network/add/destinations/none").status_code == 404


def test_a_destination_is_tested_then_added_and_used_at_once(
    house: House, client: httpx.Client, tmp_path: Path
) -> None:
    before = file_of(house).read_text()
    values = {"name": "share", "folder": str(tmp_path / "share"), "mode": "0640", "objects": "pdf"}
    tried = sent(client, ADD_FOLDER, "try", **values)
    assert 'class="state well"' in tried.text
    assert "+[[destination]]" in tried.text and "Nothing is saved yet." in tried.text
    assert file_of(house).read_text() == before
    done = sent(client, ADD_FOLDER, why="for the ward", **values)
    assert done.headers["location"] == "/network?saved=2"
    after = file_of(house).read_text()
    assert all(line in after.splitlines() for line in before.splitlines())
    [_, added] = load(file_of(house)).destination
    assert (added.name, added.kind, added.objects) == ("share", "folder", ("pdf",))
    assert "proof" not in after, "what is as usual is not written"
    shown = text_of(client.get("/network?saved=2").text)
    assert "Saved as version 2" in shown and "share folder" in shown
    with closing(AuditStore(audit_file(house.site.data))) as store:
        [entry] = [e for e in store.after(0, 99) if e.act is AuditedAct.SETTINGS_CHANGED]
    assert entry.reason.startswith("for the ward\n") and '+name = "share"' in entry.reason


def test_what_is_wrong_stands_at_its_field_and_nothing_is_saved(
    house: House, client: httpx.Client
) -> None:
    before = file_of(house).read_text()
    answer = sent(client, ADD_FOLDER, name=f"a b {HIDDEN}", folder="x", mode="7", resend_after="no")
    assert answer.status_code == 422
    problem = re.search(r'id="field-resend_after-problem">([^<]*)', answer.text)
    assert problem and "A number, not" in problem[1]
    assert HIDDEN not in answer.text
    second = sent(client, ADD_FOLDER, name="a b", folder="x", mode="7")
    for name in ("name", "mode"):
        assert f'id="field-{name}-problem"' in second.text
    assert 'value="a b"' in second.text, "what was typed is kept"
    twice = sent(client, ADD_FOLDER, name="out", folder="x", anyway="yes")
    assert "two destinations have the same name: out" in text_of(twice.text).lower()
    assert file_of(house).read_text() == before


def test_what_fails_its_test_is_saved_only_on_purpose(house: House, client: httpx.Client) -> None:
    path = "/network/add/sources/orthanc"
    values = {"name": "archive", "url": "http://127.0.0.1:9"}
    failed = sent(client, path, **values)
    assert failed.status_code == 409
    assert "The test failed, see below: nothing was saved" in text_of(failed.text)
    assert load(file_of(house)).source == ()
    assert sent(client, path, anyway="yes", **values).status_code == 303
    [source] = load(file_of(house)).source
    assert source.url == "http://127.0.0.1:9"


def test_a_worklist_is_tested_then_added(house: House, client: httpx.Client) -> None:
    path = "/network/add/worklists/ups-rs"
    manager = WorklistManager()
    with by_http(manager) as url:
        values = {"name": "ris", "url": url, "modules": "BRAIN^99T = hippocampal-volume"}
        tried = sent(client, path, "try", **values)
        assert "answers UPS-RS" in text_of(tried.text) and "+[[worklist]]" in tried.text
        assert sent(client, path, **values).status_code == 303
    [worklist] = load(file_of(house)).worklist
    assert worklist.modules == {"BRAIN^99T": "hippocampal-volume"}
    wrong = sent(client, path, **{**values, "name": "other", "modules": "BRAIN = x"})
    assert wrong.status_code == 422 and "a code value and its scheme" in text_of(wrong.text)


def test_a_destination_is_changed_and_its_comments_stay(
    house: House, client: httpx.Client, tmp_path: Path
) -> None:
    page = client.get(EDIT).text
    assert f'value="{tmp_path}/out"' in page and 'name="name"' not in page
    ticked = ("seg", "sr", "sc", "pdf")
    folder = str(tmp_path / "else")
    assert sent(client, EDIT, folder=folder, mode="0600", objects=ticked).status_code == 303
    text = file_of(house).read_text()
    assert f'folder = "{folder}"' in text and 'name = "out" # where they collect' in text
    assert "mode" not in text
    other = client.post(EDIT, data={"as": "form", "do": "save", "based_on": "x", "folder": folder})
    assert other.status_code == 409, "somebody else was at the file"


def test_what_a_rule_needs_cannot_be_removed_and_what_waits_is_told(
    house: House, client: httpx.Client
) -> None:
    put(house.records, a_workitem(), a_delivery("1.2.3", "out", state=DeliveryState.WAITING))
    assert "1 result waits for it, and will be parked" in text_of(client.get(EDIT).text)
    refused = sent(client, EDIT, **{"as": "nothing"})
    assert refused.status_code == 422
    assert "destination &#39;out&#39; is not defined" in refused.text
    assert len(load(file_of(house)).destination) == 1


def test_a_notifier_is_told_on_trial_only_when_somebody_tests_it(
    house: House, client: httpx.Client, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("whsec_" + "A" * 32)
    secret.chmod(0o600)
    path = "/network/add/notifiers/webhook"
    values = {"name": "ops", "url": "http://127.0.0.1:9", "secret_file": str(secret)}
    tried = sent(client, path, "try", **values)
    assert 'class="state failed">test message' in tried.text
    assert sent(client, path, **values).status_code == 303
    assert "ops webhook, from warning on" in text_of(client.get("/network").text)
    page = client.get("/network/notifiers/ops/settings")
    assert "whsec_A" not in page.text, "the file is named, what it holds is not shown"


def test_an_archive_answers_while_the_form_is_open(house: House, client: httpx.Client) -> None:
    archive = DicomwebArchive()
    archive.open()
    try:
        path = "/network/add/destinations/dicomweb"
        answer = sent(client, path, "try", name="web", url=archive.url)
    finally:
        archive.close()
    assert 'class="state well"' in answer.text and 'class="state failed"' not in answer.text


class Own(Settings):
    """A kind of somebody's own, with secrets in the settings."""

    password: str = Field("", description="Password.")
    key: SecretStr = Field(SecretStr(""), description="Key.")
    token_file: str = Field("", description="File with a token.")


def test_a_secret_is_never_shown_and_stays_where_nothing_is_typed() -> None:
    before = {"password": "s1", "key": "s2", "token_file": "t"}
    fields = fields_of(Own, before)
    assert [(one.shape, one.text) for one in fields] == [
        ("secret", ""),
        ("secret", ""),
        ("text", "t"),
    ]
    typed = FormData([("password", ""), ("key", "new"), ("token_file", "t")])
    assert values_of(Own, typed, before) == {"password": "s1", "key": "new", "token_file": "t"}
    assert [one.text for one in refilled(fields, typed)] == ["", "", "t"]


@pytest.mark.parametrize("role", [UserRole.VIEWER, UserRole.READER, UserRole.OPERATOR])
def test_only_administrators_change_the_network(house: House, role: UserRole) -> None:
    assert "/network/add" not in house.get("/network", role)
    with house.client(role) as client:
        for path in ("/network/add", ADD_FOLDER, EDIT):
            assert client.get(path).status_code == 403
        assert client.post(EDIT, data={"as": "nothing"}).status_code == 403
