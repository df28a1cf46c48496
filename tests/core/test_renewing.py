"""A run that waits for a module that is replaced meanwhile: today's is woken for it at once."""

from contextlib import closing

from hilum.processes.hints import HintReceiver, Ready, gateway_address
from hilum.records.states import WorkitemState
from hilum.service.gateway import follow
from hilum.study.flow import Flow
from tests.core.test_order_of_arrival import HELD, Module, contents, gateway


class Newer(Module):
    """Is installed while a run of the older one waits."""

    version = "2"


def test_a_run_that_an_upgrade_renews_waits_for_no_sweep() -> None:
    with gateway(rule=(HELD,)) as hall:
        for image in contents("one"):
            hall.receive(image, "a")
        hall.wait(150)
        [old] = hall.items("one")
        site = hall.flow.site
        upgraded = Flow(site, hall.records, {"m": Newer}, hall.clock, hall.engine, "upgraded")
        with (
            closing(HintReceiver(gateway_address(site.data))) as hints,
            closing(upgraded._hints),
        ):
            assert not upgraded.begin(old.id)
            [hint] = hints.receive(10)
        [old, new] = sorted(hall.items("one"), key=lambda item: item.version)
        assert (old.state, old.superseded_by) == (WorkitemState.CANCELLED, new.id)
        assert (new.state, new.version) == (WorkitemState.SCHEDULED, "2")
        assert hint == Ready(new.id)
        assert new.id not in hall.engine.launched.values()
        follow(hint, upgraded)
        assert list(hall.engine.launched.values()) == [old.id, new.id]
