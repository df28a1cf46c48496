"""Whatever is asked as the description of the API has it, in every role, is answered as it says.

Requests are made from `/api/v1/openapi.json` by schemathesis, in this process, without a network:
right ones, and ones that are wrong in one way. No answer is a 500, and each is described.
"""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

import httpx
import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode, checks
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from factory import a_delivery, a_study, a_workitem, put
from hilum.config import parse
from hilum.config.site import Site
from hilum.console import api
from hilum.console.api import acts
from hilum.console.app import application
from hilum.console.endpoints import PERMISSION, found_in
from hilum.people.roles import MAY, Permission, UserRole
from hilum.records import Records
from hilum.records.listed import StudyIdentifiers
from hilum.records.states import DeliveryState, WorkitemState
from hilum.rejections import Rejection, RejectionKind
from tests.signing_in import signed_in

UID = "1.2.840.113"
REQUESTS = [4, pytest.param(300, marks=pytest.mark.whole)]  # for each endpoint
CHECKS = [
    checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    folder = tmp_path_factory.mktemp("described")
    folder.chmod(0o700)
    return parse(
        {
            "data": str(folder),
            "receiver": {"low_water_mb": 0},
            "destination": [{"name": "out", "kind": "folder", "folder": str(folder / "out")}],
            "source": [{"name": "archive", "kind": "orthanc", "url": "http://127.0.0.1:1"}],
        }
    )


@pytest.fixture(scope="module")
def records(site: Site) -> Iterator[Records]:
    with closing(Records(f"sqlite:///{site.data}/hilum.db")) as opened:
        put(
            opened,
            a_study(study_uid=UID, folder="f", images=3, settled_images=3),
            a_workitem(id=f"{UID}.7", study_uid=UID, state=WorkitemState.PARKED),
        )
        opened.identifiers.note_older(UID, StudyIdentifiers(patient_id="P1", patient_name="A^B"))
        put(opened, a_delivery(f"{UID}.7", "out", state=DeliveryState.REFUSED, reason="enable it"))
        rejected = (1e9, RejectionKind.CALLER, "10.0.0.1", "MR1", "HILUM", "not known")
        opened.rejections.note([Rejection.at(*rejected)])
        yield opened


class InProcess:
    """Asks the application, without a network; an error in it is an answer with status 500."""

    def __init__(self, application: FastAPI, runner: asyncio.Runner) -> None:
        here = httpx.ASGITransport(application, raise_app_exceptions=False, client=("127.0.0.1", 1))
        self._client = httpx.AsyncClient(transport=here, base_url="http://127.0.0.1")
        self._runner = runner

    def request(self, method: str, path: str, **words: Any) -> httpx.Response:
        return self._runner.run(self._client.request(method, path, **words))


@pytest.fixture(scope="module")
def client(site: Site, records: Records) -> Iterator[InProcess]:
    """Nobody waits for a gateway, which does not run."""
    made = application(site, records)
    desk = made.state.desk
    with (
        asyncio.Runner() as runner,
        closing(desk.everybody),
        closing(desk.auditor),
        closing(desk.uploads),  # some of its requests begin one
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(acts, "PATIENCE", 0.0)
        yield InProcess(made, runner)


@pytest.fixture(scope="module")
def described(client: InProcess) -> Any:
    return schemathesis.openapi.from_dict(client.request("GET", "/api/v1/openapi.json").json())


@pytest.fixture(scope="module")
def shown(site: Site) -> dict[UserRole, str]:
    """What a program in each role shows."""
    found = {}
    for role in UserRole:
        with signed_in(site, role) as program:
            found[role] = program.headers["Authorization"]
    return found


@pytest.fixture(scope="module")
def known(records: Records) -> dict[str, str]:
    """What can be named in a path, so that not every answer is 404."""
    return {"address": records.identifiers.addresses([UID])[UID], "uid": UID, "name": "archive"}


OPERATIONS = [
    pytest.param(one.method, one.path, id=f"{one.method} {one.path}")
    for part in found_in(api)
    for one in part.found
]


@pytest.mark.parametrize("requests", REQUESTS)
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_every_answer_is_as_described(
    requests: int,
    method: str,
    path: str,
    client: InProcess,
    described: Any,
    shown: Mapping[UserRole, str],
    known: dict[str, str],
) -> None:
    operation = described[path][method]
    permission = Permission(operation.definition.raw[PERMISSION])
    named = {name: value for name, value in known.items() if f"{{{name}}}" in path}
    strategies = [operation.as_strategy(mode) for mode in GenerationMode]
    if named:
        strategies += [operation.as_strategy(path_parameters=named)] * 2

    @settings(
        max_examples=requests, deadline=None, database=None, suppress_health_check=[*HealthCheck]
    )
    @given(st.one_of(strategies), st.sampled_from(UserRole))
    def ask(case: Case, role: UserRole) -> None:
        answer = asked(client, case, shown[role])
        assert (answer.status_code == 403) == (permission not in MAY[role])
        case.validate_response(answer, checks=CHECKS)

    ask()


def asked(client: InProcess, case: Case, token: str) -> httpx.Response:
    """The answer to what was made; who asks is up to us."""
    made = case.as_transport_kwargs(base_url="http://127.0.0.1")
    content_type = made["headers"].get("Content-Type")
    headers = {"Authorization": token} | ({"Content-Type": content_type} if content_type else {})
    body = {"json": made["json"]} if "json" in made else {"content": made.get("data")}
    return client.request(
        made["method"], made["url"], params=made["params"], headers=headers, **body
    )
