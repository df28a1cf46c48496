"""Metrics, alert rules and dashboard, as Debian's Prometheus reads them from a running Hilum."""

import json
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from factory import a_workitem, mr_slices, put, write
from hilum.config import parse
from hilum.console.metrics import SiteMetrics
from hilum.records import Records, tables
from hilum.records.models.patients import Correction
from hilum.records.states import DeliveryState, EventKind, WorkitemState
from hilum.service.supervisor import EVERY_ROLE
from hilum_lab.network.processes import available_port
from plugin import BRIGHT, install_plugin
from tests.patience import until
from tests.system.site import Running, running

from .prometheus import PROMETHEUS, PROMTOOL, Prometheus, prometheus

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
RULES = DEPLOY / "prometheus" / "hilum.rules.yml"
DASHBOARD = json.loads((DEPLOY / "grafana" / "hilum.json").read_text())
PAGE = (ROOT / "docs" / "reference" / "metrics.md").read_text()

needs_prometheus = pytest.mark.skipif(PROMETHEUS is None, reason="no Prometheus")


def queries_of_the_dashboard() -> list[str]:
    return [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


def queries_of_the_rules() -> list[str]:
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    return [rule["expr"] for rule in group["rules"]]


@needs_prometheus
def test_promtool_is_content_and_every_alert_fires_and_ends(tmp_path: Path) -> None:
    test = (Path(__file__).parent / "rules_test.yml").read_text()
    (tmp_path / "test.yml").write_text(test.replace("RULES", str(RULES)))
    settings = DEPLOY / "prometheus" / "prometheus.yml"
    for words in (["check", "config", settings], ["test", "rules", tmp_path / "test.yml"]):
        done = subprocess.run([PROMTOOL, *words], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    names = re.findall(r"alert: (\w+)", RULES.read_text())
    assert {name for name in names if f"alertname: {name}" in test} == set(names)


@pytest.fixture(scope="module")
def hilum(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """It has delivered one study; another destination and a source do not answer."""
    folder = tmp_path_factory.mktemp("hilum")
    images = mr_slices("t1", count=4)
    out = {"name": "out", "kind": "folder", "folder": folder / "out"}
    gone = {"name": "gone", "kind": "dimse", "port": available_port()}
    source = {"name": "archive", "kind": "orthanc", "url": f"http://127.0.0.1:{available_port()}"}
    rule = {"module": "bright-volume", "send_to": ["out", "gone"], "quiet_seconds": 1}
    with pytest.MonkeyPatch.context() as patch:
        install_plugin(folder / "plugin", patch, BRIGHT, "bright-volume", "BrightVolume")
        ends = {"destination": [out, gone], "source": [source]}
        with running(folder, EVERY_ROLE, rule=[rule], **ends) as hilum:
            hilum.send(write(images, folder / "exam"))
            hilum.until(lambda: counts(hilum)["out"].get(DeliveryState.VERIFIED), "the delivery")
            hilum.until(lambda: counts(hilum)["gone"].get(DeliveryState.DELAYED), "the other one")
            hilum.records.corrections.note(Correction("1.2", "key", 0.0, ("CT1",), is_open=True))
            yield hilum


def counts(hilum: Running) -> dict[str, dict[DeliveryState, int]]:
    return {"out": {}, "gone": {}} | hilum.records.deliveries.counts()


def metrics(hilum: Running) -> dict[str, dict[tuple[str, ...], float]]:
    """By name and values of the labels, as the library of Prometheus reads them."""
    answer = httpx.get(f"http://127.0.0.1:{hilum.site.console.port}/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    return {
        family.name: {tuple(s.labels.values()): s.value for s in family.samples}
        for family in text_string_to_metric_families(answer.text)
    }


def test_the_numbers_are_those_of_the_records(hilum: Running) -> None:
    found = metrics(hilum)
    assert found["hilum_studies"] == {(): 1}
    assert found["hilum_images"] == {(): 4}
    assert found["hilum_workitems"]["bright-volume", "delivering"] == 1
    assert found["hilum_workitems"]["bright-volume", "failed"] == 0
    assert len(found["hilum_workitems"]) == len(WorkitemState)
    assert found["hilum_deliveries"]["out", "verified"] == 1
    assert found["hilum_oldest_delivery_seconds"]["out",] == 0
    assert found["hilum_oldest_delivery_seconds"]["gone",] > 0
    assert found["hilum_destination_up"] == {("out",): 1, ("gone",): 0}
    assert found["hilum_source_up"] == {("archive",): 0}
    assert found["hilum_disk_free_bytes"][()] > 0
    assert {"gateway", "worker"} == {
        role for (role,) in found["hilum_last_sign_of_life_timestamp_seconds"]
    }
    assert ("corrections", "warning") in found["hilum_alarm_since_timestamp_seconds"]


def test_no_metric_names_a_study_or_a_sender(hilum: Running) -> None:
    text = httpx.get(f"http://127.0.0.1:{hilum.site.console.port}/metrics").text
    assert not re.search(r"\d+\.\d+\.\d+\.\d+|Marker|marker", text)
    labels = {name for line in text.splitlines() for name in re.findall(r"(\w+)=\"", line)}
    assert labels == {
        *("version", "kind", "module", "state", "role", "destination", "source", "waits_for"),
        *("name", "severity", "le"),
    }


def test_every_metric_is_documented_and_nothing_else(tmp_path: Path) -> None:
    site = parse({"data": str(tmp_path)})
    with closing(Records("sqlite://")) as records:
        put(records, a_workitem())
        families = list(SiteMetrics(site, records).collect())
    assert {family.name for family in families} == set(re.findall(r"`(hilum_\w+)`", PAGE))
    for family in families:
        (row,) = re.findall(rf"^\| `{family.name}` \|.*$", PAGE, re.MULTILINE)
        assert family.documentation in row, row
    names = set(re.findall(r"hilum_\w+", " ".join(queries_of_the_dashboard())))
    names |= set(re.findall(r"hilum_\w+", " ".join(queries_of_the_rules())))
    names = {re.sub("_bucket$", "", name) for name in names}
    assert names <= {family.name for family in families}


def test_the_time_of_each_analysis_is_counted_as_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = time.time()
    monkeypatch.setattr("hilum.records.durations.time.time", lambda: ended)
    site = parse({"data": str(tmp_path), "rule": [{"module": "other", "send_to": []}]})
    with closing(Records("sqlite://")) as records:
        for name, seconds in {"a": 0.2, "b": 40.0, "c": 9000.0}.items():
            put(records, item := a_workitem(id=name, module="tiny"))
            for earlier in (50.0, 0.0):  # the first one was broken off
                number = records.events.add(item.study_uid, EventKind.RUNNING, "", name)
                begun = tables.event.update().where(tables.event.c.id == number)
                change = begun.values(at=ended - seconds - earlier)
                records.database.transact(lambda c, change=change: c.execute(change))
            records.workitems.note_findings(item, (), "")
        forget = tables.event.delete()
        records.database.transact(lambda connection: connection.execute(forget))
        families = {family.name: family for family in SiteMetrics(site, records).collect()}

    def counted(module: str) -> dict[str, float]:
        samples = families["hilum_analysis_seconds"].samples
        own = [sample for sample in samples if sample.labels["module"] == module]
        return {one.labels.get("le", one.name.rpartition("_")[2]): one.value for one in own}

    some = ("0.1", "0.25", "30.0", "60.0", "3600.0", "+Inf", "count", "sum")
    found = [counted("tiny")[name] for name in some]
    assert found == [0, 1, 1, 2, 2, 3, 3, pytest.approx(9040.2)]
    assert set(counted("other").values()) == {0}


@pytest.fixture(scope="module")
def watched(hilum: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    if PROMETHEUS is None:
        pytest.skip("no Prometheus")
    folder = tmp_path_factory.mktemp("prometheus") / "server"
    settings = DEPLOY / "prometheus" / "prometheus.yml"
    with prometheus(folder, settings, hilum.site.console.port) as server:
        until(lambda: len(server.ask("hilum_images[1m]")[0:1]) == 1, "the first scrape")
        until(lambda: server.ask("count_over_time(hilum_images[1m]) > 2"), "several scrapes")
        yield server


@pytest.mark.parametrize("query", queries_of_the_dashboard())
def test_every_query_of_the_dashboard_shows_something(query: str, watched: Prometheus) -> None:
    assert watched.ask(query)


@pytest.mark.parametrize("query", queries_of_the_rules())
def test_every_query_of_the_rules_is_evaluated(query: str, watched: Prometheus) -> None:
    watched.ask(query)


def test_an_alarm_becomes_an_alert_and_ends_with_it(hilum: Running, watched: Prometheus) -> None:
    def firing() -> dict[str, str]:
        alerts = watched.get("alerts")["alerts"]
        labels = [alert["labels"] for alert in alerts if alert["state"] == "firing"]
        return {a["name"]: a["severity"] for a in labels if a["alertname"] == "HilumAlarm"}

    hilum.until(lambda: firing().get("corrections") == "warning", "the alert")
    (group,) = watched.get("rules")["groups"]
    assert {rule["health"] for rule in group["rules"]} == {"ok"}
    delete = tables.correction.delete()
    hilum.records.database.transact(lambda connection: connection.execute(delete))
    hilum.until(lambda: "corrections" not in firing(), "its end")


def test_the_dashboard_is_whole() -> None:
    """Each panel has a place of its own, and asks for the same source of data."""
    places = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    cells = [
        (x, y)
        for p in places
        for x in range(p["x"], p["x"] + p["w"])
        for y in range(p["y"], p["y"] + p["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24
    assert {p["datasource"]["uid"] for p in DASHBOARD["panels"]} == {"${DS_PROMETHEUS}"}
    assert [given["name"] for given in DASHBOARD["__inputs"]] == ["DS_PROMETHEUS"]
