"""While the server that computes a module is away its studies wait, and none is refused for it."""

from contextlib import closing
from pathlib import Path

import pytest

from factory import a_workitem
from hilum.config.site import Rule, Worker
from hilum.errors import ServerAway
from hilum.hosts.discovery import installed_module
from hilum.hosts.place import Place
from hilum.hosts.server import ServerHostSettings
from hilum.records.states import WorkitemState
from hilum.study.arrivals import Arrivals
from hilum.study.away import LONGEST_SECONDS, Away
from hilum.study.flow import Flow
from hilum_lab.network.processes import available_port
from inference_servers import Behaviour, router_model, running
from tests.core.test_order_of_arrival import OURS, Gateway, contents, gateway

from .test_server import ROUTER, Site, model

CARD = ROUTER.replace('"bright-spot"', '"m"')


def with_server(hall: Gateway, models: Path) -> Flow:
    """The gateway of `hall` with the module that a server computes."""
    hall.flow._hints.close()
    modules = {"m": installed_module("m", Place(models=models))}
    flow = Flow(hall.flow.site, hall.records, modules, hall.clock, hall.engine, "with a server")
    flow.arrivals = Arrivals(hall.inbox, hall.records, OURS, hall.clock)
    return flow


def test_a_study_waits_for_its_server_and_is_analysed_once_it_is_there(tmp_path: Path) -> None:
    models, port = model(tmp_path, CARD), available_port()
    host = ServerHostSettings(module="m", url=f"http://127.0.0.1:{port}", attempts=1)
    rule = Rule(module="m", give_up_seconds=20)
    settings = {
        "rule": (rule,),
        "host": (host,),
        "models": models,
        "worker": Worker(memory_mb=1024),
    }
    with gateway(**settings) as hall:
        hall.flow = flow = with_server(hall, models)
        for image in contents("one"):
            hall.receive(image, "a")
        hall.wait(30)
        [item] = hall.items("one", rule)
        assert flow.begin(item.id)
        flow.infer(item.id)
        assert flow.turns.is_put_back(item.id)
        [item] = hall.items("one", rule)
        assert (item.state, item.runs, item.findings) == (WorkitemState.SCHEDULED, 0, None)
        assert "cannot be reached" in (item.failure or "")
        assert not hall.records.workitems.waiting()
        flow.hosts.pop("m").close()  # it would leave the server alone for a minute
        with running(router_model(Behaviour()), port), closing(flow.host("m")):
            assert flow.begin(item.id)
            flow.infer(item.id)
        [item] = hall.items("one", rule)
        assert (item.state, item.runs, item.failure) == (WorkitemState.RUNNING, 1, None)
        assert item.findings


def test_it_is_tried_again_ever_more_rarely() -> None:
    now = [1e9]
    away = Away(lambda: now[0])
    waited = []
    for launch in range(9):
        item = a_workitem(state=WorkitemState.SCHEDULED, failure="away", launch=launch)
        began = now[0]
        while away.holds(item):
            now[0] += 30
        waited.append(now[0] - began)
    assert waited[:4] == [60, 120, 240, 480]
    assert max(waited) == LONGEST_SECONDS
    assert not away.holds(a_workitem(state=WorkitemState.SCHEDULED))
    assert not away.holds(a_workitem(state=WorkitemState.RUNNING, failure="away"))
    item = a_workitem(id="1.2.4", state=WorkitemState.SCHEDULED, failure="away")
    assert away.holds(item)
    now[0] -= 36_000
    assert not away.holds(item), "the clock was set back"


def test_a_server_that_was_away_is_left_alone_for_a_while(tmp_path: Path) -> None:
    behaviour = Behaviour(failures=[(503, {})])
    with running(router_model(behaviour)) as url:
        site = Site(tmp_path, url, attempts=1)
        for _ in range(2):
            with closing(site.host), pytest.raises(ServerAway, match="HTTP 503"):
                site.run_walled()
    assert len(behaviour.received) == 1
