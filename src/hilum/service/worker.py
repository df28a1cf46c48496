"""The worker: one analysis at a time, its modules warm in child processes."""

import os

from hilum.config.site import Site
from hilum.engine import durable
from hilum.engine.liveness import Pulse
from hilum.flow import Flow
from hilum.module import installed_modules
from hilum.records import Records, records_url
from hilum.service.beginning import begin

TURN_SECONDS = 0.5


def work(site: Site) -> None:
    """Run what the gateway has scheduled, until SIGTERM."""
    stop = begin(site.data)
    records = Records(records_url(site))
    pulse = Pulse(records, "worker")
    flow = Flow(site, records, installed_modules(site.networks))
    for rule in site.rule:
        flow.host(rule.module).start()
    durable.launch(durable.engine_url(site), pulse.executor, [durable.ANALYSE])
    while not stop.wait(TURN_SECONDS):
        pulse.beat()
    # Nothing is stopped in order: a running analysis would look failed. The kernel ends the modules
    # with us, and whoever comes next takes the unfinished work over.
    os._exit(0)
