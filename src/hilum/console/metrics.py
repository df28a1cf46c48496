"""How things stand as numbers, for Prometheus.

They are read from the records when somebody asks, so they outlive every process. No label names a
study, a patient or a sender. Each is explained in docs/reference/metrics.md.
"""

import time
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from itertools import product
from math import inf

from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from hilum.alarms import alarms_now
from hilum.config.site import Site
from hilum.inbox.room import MEBIBYTE, free_mib
from hilum.records import Records
from hilum.records.durations import BOUNDS, Duration
from hilum.records.states import (
    DeliveryState,
    DestinationState,
    SourceState,
    StudyWait,
    WorkitemState,
)
from hilum.records.views import destinations, sources
from hilum.rejections import RejectionKind


class SiteMetrics(Collector):
    """The metrics of one site, as its records say now."""

    def __init__(self, site: Site, records: Records) -> None:
        self._site = site
        self._records = records

    def describe(self) -> Iterator[Metric]:
        """Nothing, so that registering it asks for nothing."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Every metric, as things stand."""
        yield _gauge(
            "hilum_build_info", "Version of Hilum.", ["version"], [([version("hilum")], 1)]
        )
        yield from self._images()
        yield from self._work()
        yield from self._ends()
        yield from self._alarms()

    def _images(self) -> Iterator[Metric]:
        studies, images = self._records.studies.totals()
        yield _gauge("hilum_studies", "Studies that ever came in.", [], [([], studies)])
        waiting = self._records.flow.waiting()
        yield _gauge(
            "hilum_open_studies",
            "Studies that are not decided on yet, by what they wait for.",
            ["waits_for"],
            [([wait], waiting.get(wait, 0)) for wait in StudyWait],
        )
        yield _gauge("hilum_images", "Images that ever came in.", [], [([], images)])
        refused = dict.fromkeys(RejectionKind, 0)
        for row in self._records.rejections.since():
            refused[row.kind] += row.count
        yield _gauge(
            "hilum_rejections",
            "What the receiver rejected, as `hilum status` lists it.",
            ["kind"],
            [([kind], number) for kind, number in refused.items()],
        )
        free = free_mib(self._site.data) * MEBIBYTE
        yield _gauge(
            "hilum_disk_free_bytes", "Room on the disk of the data folder.", [], [([], free)]
        )
        least = self._site.receiver.low_water_mb * MEBIBYTE
        text = "Room below which images are refused."
        yield _gauge("hilum_disk_low_water_bytes", text, [], [([], least)])

    def _work(self) -> Iterator[Metric]:
        modules = {rule.module for rule in self._site.rule}
        counts = dict.fromkeys(product(modules, WorkitemState), 0)
        counts |= self._records.workitems.counts()
        yield _gauge(
            "hilum_workitems",
            "Workitems by module and state.",
            ["module", "state"],
            [([module, state], number) for (module, state), number in counts.items()],
        )
        yield _histogram(modules, self._records.durations.all())
        signs = self._records.executors.last_signs().items()
        yield _gauge(
            "hilum_last_sign_of_life_timestamp_seconds",
            "When a process of each role last gave a sign of life.",
            ["role"],
            [([role], at) for role, at in signs],
        )

    def _ends(self) -> Iterator[Metric]:
        shown = destinations(self._site, self._records)
        yield _gauge(
            "hilum_destination_up",
            "1 unless a destination is unreachable.",
            ["destination"],
            [([d.name], int(d.state is not DestinationState.UNREACHABLE)) for d in shown],
        )
        yield _gauge(
            "hilum_deliveries",
            "Deliveries by destination and state.",
            ["destination", "state"],
            [([d.name, s], d.deliveries.get(s, 0)) for d in shown for s in DeliveryState],
        )
        oldest, now = self._records.deliveries.oldest_owed(), time.time()
        yield _gauge(
            "hilum_oldest_delivery_seconds",
            "Age of the oldest delivery that is owed to a destination; 0 if none is.",
            ["destination"],
            [([d.name], max(0.0, now - oldest.get(d.name, now))) for d in shown],
        )
        watched = sources(self._site, self._records)
        yield _gauge(
            "hilum_source_up",
            "1 if a source is reachable.",
            ["source"],
            [([s.name], int(s.state is SourceState.REACHABLE)) for s in watched],
        )
        yield _gauge(
            "hilum_source_fetched_images",
            "Images that were ever fetched from a source.",
            ["source"],
            [([s.name], s.fetched) for s in watched],
        )
        yield _gauge(
            "hilum_source_behind",
            "Changes that a source lists and the watch has not reached.",
            ["source"],
            [([s.name], s.behind) for s in watched],
        )

    def _alarms(self) -> Iterator[Metric]:
        alarms, now = alarms_now(self._site, self._records), time.time()
        yield _gauge(
            "hilum_alarm_since_timestamp_seconds",
            "When an alarm began that stands now.",
            ["name", "severity"],
            [([alarm.name, alarm.severity], alarm.since or now) for alarm in alarms],
        )


Samples = list[tuple[list[str], float]]  # values of the labels, and the value


def _gauge(name: str, text: str, labels: list[str], samples: Samples) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=labels)
    for values, value in samples:
        family.add_metric(values, value)
    return family


def _histogram(modules: Iterable[str], durations: Iterable[Duration]) -> HistogramMetricFamily:
    """How long analyses took, also of `modules` without one."""
    text = "How long an analysis took, from the start of its module to its findings."
    family = HistogramMetricFamily("hilum_analysis_seconds", text, labels=["module"])
    found: dict[str, list[Duration]] = {module: [] for module in modules}
    for one in durations:
        found.setdefault(one.module, []).append(one)
    for module, own in sorted(found.items()):
        numbers = [sum(one.number for one in own if one.at_most <= at) for at in (*BOUNDS, inf)]
        names = [*map(str, BOUNDS), "+Inf"]
        buckets = list(zip(names, map(float, numbers), strict=True))
        family.add_metric([module], buckets, sum(one.seconds for one in own))
    return family
