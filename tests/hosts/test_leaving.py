"""Images that leave for a server stand in the audit trail, and those that may not leave."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from hilum.audit import AuditedAct, AuditEntry, AuditOutcome, AuditStore, ObjectType, audit_file
from hilum.audit.store import AuditFilter
from hilum.errors import ServerAway
from hilum.hosts import Place
from hilum.hosts.discovery import installed_module
from hilum.hosts.server import exchange as server_exchange
from hilum.hosts.server.leaving import Leaving
from hilum.servers.at_server import AtServer
from inference_servers import Behaviour, kserve, router_model, running

from .test_kserve import CARD
from .test_server import Site


def entries(data: Path) -> list[AuditEntry]:
    with closing(AuditStore(audit_file(data))) as store:
        return store.latest(AuditFilter(studies=("1.2.3",)), 99)[::-1]


def test_what_leaves_and_what_may_not_is_written_down_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing leaves while that cannot be written."""
    monkeypatch.setattr(server_exchange, "REST_SECONDS", 0.0)
    behaviour = Behaviour(failures=[(503, {})])
    with running(router_model(behaviour)) as url:
        site = Site(tmp_path, url, attempts=1)
        with closing(site.host) as host:
            job = replace(site.job(), study_uid="1.2.3", patient_id="P1")
            with pytest.raises(ServerAway, match="503"):
                host.run(job)
            host.run(job)
            [sent] = entries(tmp_path / "data")
            assert (sent.act, sent.outcome) == (AuditedAct.SENT_TO_SERVER, AuditOutcome.ASKED)
            assert (sent.object_type, sent.object) == (ObjectType.SERVER, url)
            assert (sent.study_uid, sent.patient_id) == ("1.2.3", "P1")
            assert sent.reason == (
                "bright-spot: 3 images as de-identified DICOM files with pseudonyms; none whose"
                " pixels may show a name"
            )
            for each in site.slices:
                each.BurnedInAnnotation = "YES"
            site.folder = tmp_path / "burned"
            burned = replace(site.job(), study_uid="1.2.3", patient_id="P1")
            host.run(burned)
            [_, refused] = entries(tmp_path / "data")
            assert refused.outcome is AuditOutcome.DENIED
            assert "this site sends no such images away" in refused.reason
            audit_file(tmp_path / "data").write_text("no database any more")
            with pytest.raises(ServerAway, match="no image is sent: "):
                host.run(job)
    assert len(behaviour.received) == 2


def test_what_came_while_a_study_waited_is_written_down_too(tmp_path: Path) -> None:
    site = Site(tmp_path, "http://127.0.0.1:9")
    leaving = Leaving(tmp_path / "data", site.settings.url, unlooked=False)
    module = installed_module(site.name, Place(models=site.models))
    assert issubclass(module, AtServer)
    job = replace(site.job(), study_uid="1.2.3", patient_id="P1")
    fewer = replace(job, inputs={name: parts[1:] for name, parts in job.inputs.items()})
    other = replace(job, patient_id="P2")
    for each in (fewer, fewer, job, job, other):
        leaving.begins(each, module)
    sent = entries(tmp_path / "data")
    assert [entry.patient_id for entry in sent] == ["P1", "P1", "P2"]
    assert ["2 images" in sent[0].reason, "3 images" in sent[1].reason] == [True, True]
    again = Leaving(tmp_path / "data", site.settings.url, unlooked=False)
    again.begins(other, module)
    assert len(entries(tmp_path / "data")) == 3, "the worker was started anew while it waited"
    again.ended(other)
    again.begins(other, module)
    assert len(entries(tmp_path / "data")) == 4, "it is sent anew"


def test_a_run_that_asks_without_content_is_written_down_too(tmp_path: Path) -> None:
    """The path of a request may say something of a study, where a decoder was taken over."""
    with running(kserve(Behaviour(), not_ready=99)) as url:
        site = Site(tmp_path, url, CARD, attempts=1)
        with closing(site.host) as host:
            job = replace(site.job(), study_uid="1.2.3", patient_id="P1")
            with pytest.raises(ServerAway, match="not ready"):
                host.run(job)
    assert [entry.patient_id for entry in entries(tmp_path / "data")] == ["P1"]
