"""Programs read results as JSON, word for word as destinations receive them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from factory import a_result, put
from hilum.audit import AuditedAct, AuditStore, audit_file
from hilum.objects.event import JsonResult
from hilum.objects.kinds import Writing
from hilum.people.roles import UserRole
from hilum.records.states import WorkitemState
from hilum.testing.samples import analysis_of, write_series

from .house import SAID, House, a_house


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with a_house(tmp_path_factory.mktemp("house")) as made:
        yield made


def test_a_result_is_read_as_it_is_sent(house: House, tmp_path: Path) -> None:
    address = house.study(WorkitemState.COMPLETED, SAID)
    item = f"{house.records.identifiers.study_at(address)}.1"
    writing = Writing(analysis_of(write_series(tmp_path)), wishes={"identified": True})
    [content] = JsonResult().write(writing)
    for name, media_type in (("a.json", "application/json"), ("b.json", "application/x-other")):
        path = house.site.data / name
        path.write_bytes(content)
        of_file = {"kind": "json", "sop_class_uid": "", "media_type": media_type, "path": path}
        put(house.records, a_result(item, identity=f"2.25.{len(name)}{name[0]}", **of_file))
    path_ = f"/api/v1/studies/{address}/results"
    with house.client(UserRole.OPERATOR) as client:
        [told] = client.get(path_).json()["results"]
        assert told["event"] == json.loads(content)
        assert (told["workitem"], told["identity"]) == (item, "2.25.6a")
        (house.site.data / "a.json").unlink()
        assert client.get(path_).json() == {"results": []}, "a rule has removed it"
        assert client.get(path_.replace(address, "zzzzzzzzzzzz")).status_code == 404
    with house.client(UserRole.VIEWER) as client:
        assert client.get(path_).status_code == 403
    store = AuditStore(audit_file(house.site.data))
    looks = [e for e in store.after(0, 1000) if e.act is AuditedAct.OPENED]
    store.close()
    assert looks, "whoever read it is on record"
