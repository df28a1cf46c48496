"""A third party's module: found by entry point, run in its own process, its results delivered."""

import hashlib
import os
import signal
import socket
from pathlib import Path

import pydicom
import pytest

from factory import mr_slices, write
from hilum.acts.asking import ask
from hilum.dicom.instance import Instance
from hilum.records import views
from hilum.records.states import RequestAction
from hilum.service.supervisor import EVERY_ROLE
from hilum_lab.network.processes import available_port, listens
from plugin import BRIGHT, install_plugin

from .site import ALL_KINDS, LEAN, Running, running

assert len(BRIGHT.splitlines()) <= 30
COUNT = len(LEAN["objects"])


HOSTILE = """
    import socket
    from contextlib import suppress

    with suppress(OSError):
        open("WITNESS", "w")
    socket.create_connection(("127.0.0.1", PORT))
"""
SHARE = """
    from hilum import FindingsOf, Input, Measurement, Urgency, codes

    class Module:
        name, version = "bright-share", "1"
        needs = {"head": Input("MR"), "bright": FindingsOf("bright-volume")}

        def run(self, head, bright):
            [part], [volume] = bright.segments, bright.measurements
            yield Measurement(codes.VOLUME, volume.value / part.volume_ml, codes.NO_UNITS)
            yield Urgency("it is a test")
"""


def site_for(tmp_path: Path, module: str, **more: object) -> dict:
    return {
        "destination": [{"name": "out", "kind": "folder", "folder": tmp_path / "out", **more}],
        "rule": [{"module": module, "send_to": ["out"]}],
    }


def delivered(tmp_path: Path, folder: str = "out") -> list[pydicom.Dataset]:
    return [pydicom.dcmread(path) for path in sorted((tmp_path / folder).rglob("*.dcm"))]


def test_each_destination_receives_the_regions_it_wants_beside_a_hostile_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the import of a module does by itself reaches nobody from any process of Hilum."""
    install_plugin(tmp_path / "plugin", monkeypatch, BRIGHT, "bright-volume", "BrightVolume")
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    hostile = HOSTILE.replace("PORT", str(listener.getsockname()[1]))
    hostile = hostile.replace("WITNESS", str(tmp_path / "witness"))
    install_plugin(tmp_path / "hostile", monkeypatch, hostile, "hostile")
    files = write(mr_slices(count=8), tmp_path / "exam")
    settings = site_for(tmp_path, "bright-volume")
    machines = {"name": "machines", "kind": "folder", "folder": tmp_path / "machines"}
    settings["destination"].append({**machines, "regions": "segments"})
    settings["rule"][0]["send_to"].append("machines")
    with listener, running(tmp_path, EVERY_ROLE, **settings) as hilum:
        hilum.send(files)
        view = hilum.settled(Instance.read(files[0]).study_uid)
        assert view.workitems[0].state == "completed"
        named = "module hostile cannot be used: the module tried to open a network connection"
        assert named in (hilum.site.data / "logs" / "hilum.log").read_text()
        hilum.until(lambda: listens(hilum.site.console.port), "the console")
        with pytest.raises(BlockingIOError):
            listener.accept()  # nobody has called
        assert not (tmp_path / "witness").exists()
        receives = {d.name: d.receives for d in views.destinations(hilum.site, hilum.records)}
    assert receives["machines"] == "seg,sr,binary,segments"
    drawn, referred = (
        next(str(ds) for ds in delivered(tmp_path, folder) if ds.Modality == "SR")
        for folder in ("out", "machines")
    )
    assert "Image Region" in drawn
    assert "Referenced Segment'" not in drawn
    assert "Image Region" not in referred
    assert "Referenced Segment'" in referred


def test_a_module_is_given_what_another_has_found_and_an_urgent_result_is_marked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_plugin(tmp_path / "plugin", monkeypatch, BRIGHT, "bright-volume", "BrightVolume")
    install_plugin(tmp_path / "share", monkeypatch, SHARE, "bright-share")
    files = write(mr_slices(count=4, shape=(12, 12)), tmp_path / "exam")
    settings = site_for(tmp_path, "bright-share", objects=["sr"])
    settings["rule"].append({"module": "bright-volume"})
    with running(tmp_path, **settings) as hilum:
        hilum.send(files)
        view = hilum.settled(Instance.read(files[0]).study_uid)
        of = {item.module: item for item in view.workitems}
        assert [of[name].state for name in sorted(of)] == ["completed", "completed"]
        assert [delivery.urgent for delivery in of["bright-share"].deliveries] == [True]
        assert hilum.records.workitems.one(of["bright-share"].id).used == {
            "bright": of["bright-volume"].id
        }
    [measured] = [f for f in of["bright-share"].findings if f.kind == "measurement"]
    assert measured.value == pytest.approx(1)
    [report] = delivered(tmp_path)
    told = {element.value for element in report.iterall() if element.keyword == "TextValue"}
    assert "bright = the findings of bright-volume 0.1" in told


def test_thirty_lines_are_a_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_plugin(tmp_path / "plugin", monkeypatch, BRIGHT, "bright-volume", "BrightVolume")
    files = write(mr_slices(count=8), tmp_path / "exam")
    with running(tmp_path, **site_for(tmp_path, "bright-volume", **ALL_KINDS)) as hilum:
        hilum.send(files)
        view = hilum.settled(Instance.read(files[0]).study_uid)
    item = view.workitems[0]
    assert item.state == "completed"
    assert all(result.verified for result in item.results)
    assert sorted(ds.Modality for ds in delivered(tmp_path)) == ["DOC", "OT", "SEG", "SR"]
    expected = sum((i.dataset().pixel_array > 0).size for i in map(Instance.read, files)) / 1000
    measured = next(f for f in item.findings if f.kind == "measurement")
    assert 0.4 * expected < measured.value < 0.6 * expected


def test_a_gateway_that_stood_still_analyses_all_that_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel keeps ten hints for it and drops the others; the images are on disk."""
    install_plugin(tmp_path / "plugin", monkeypatch, BRIGHT, "bright-volume", "BrightVolume")
    files = write(mr_slices(), tmp_path / "exam")
    with running(tmp_path, **site_for(tmp_path, "bright-volume")) as hilum:
        gateway = hilum.supervisor.processes["gateway"].pid
        os.kill(gateway, signal.SIGSTOP)
        hilum.send(files)
        os.kill(gateway, signal.SIGCONT)
        [item] = hilum.settled(Instance.read(files[0]).study_uid).workitems
    assert item.chosen_series[0].images == len(files)


def test_a_volume_is_compared_with_the_norms_of_the_site(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    followed = BRIGHT.replace("of=bright)", "of=bright, followed=True)")
    install_plugin(tmp_path / "plugin", monkeypatch, followed, "bright-volume", "BrightVolume")
    slices = mr_slices(count=8)
    for ds in slices:
        ds.PatientSex = "F"
    files = write(slices, tmp_path / "exam")
    table = tmp_path / "norms.csv"
    table.write_text("what,sex,age_from,age_to,mean_ml,sd_ml\nBright,F,50,59,30,2\n")
    [source] = (tmp_path / "plugin").rglob("plugin_bright_volume.py")
    norms = {"module": "bright-volume", "file": table, "citation": "Nobody 2025"}
    weights = [hashlib.sha256(source.read_bytes()).hexdigest(), "0" * 64]
    settings = site_for(tmp_path, "bright-volume")
    settings["norms"] = [{**norms, "weights_sha256": each} for each in weights]
    with running(tmp_path, **settings) as hilum:
        hilum.send(files)
        study_uid = Instance.read(files[0]).study_uid
        [item] = hilum.settled(study_uid).workitems
        events = {e.text for e in trace(hilum, study_uid) if e.kind == "norms"}
    [note] = [f.text for f in item.findings if f.kind == "note"]
    assert "expected 26.08 to 33.92 mL (95 % range, women of 50-59 years)" in note
    assert note.endswith("Source: Nobody 2025.")
    [event] = events
    assert "made with other weights of bright-volume" in event
    [report] = [ds for ds in delivered(tmp_path) if ds.Modality == "SR"]
    assert note in report.to_json()


def test_results_are_pushed_on_and_the_images_with_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_plugin(tmp_path / "plugin", monkeypatch, BRIGHT, "bright-volume", "BrightVolume")
    files = write(mr_slices(count=8), tmp_path / "exam")
    settings = site_for(tmp_path, "bright-volume")
    further = {"name": "further", "kind": "folder", "folder": tmp_path / "further"}
    down = {"name": "down", "kind": "dimse", "port": available_port(), "timeout_seconds": 1}
    settings["destination"] += [further, down]
    settings["route"] = [{"send_to": ["further"], "images": True}, {"send_to": ["down"]}]
    with running(tmp_path, **settings) as hilum:
        hilum.send(files)
        study_uid = Instance.read(files[0]).study_uid
        verified = (
            f"{COUNT} objects read back from out",
            f"{COUNT + len(files)} objects read back from further",
        )
        hilum.until(
            lambda: {e.text for e in trace(hilum, study_uid)}.issuperset(verified), "results"
        )
        assert views.study(hilum.records, study_uid).workitems[0].state == "delivering"
    pushed = {
        pydicom.dcmread(path).SOPInstanceUID for path in (tmp_path / "further").rglob("*.dcm")
    }
    assert pushed > {Instance.read(path).sop_instance_uid for path in files}
    assert pushed > {ds.SOPInstanceUID for ds in delivered(tmp_path)}


def test_late_images_give_one_new_result_that_names_its_predecessor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_plugin(tmp_path / "plugin", monkeypatch, BRIGHT, "bright-volume", "BrightVolume")
    files = write(mr_slices(count=8), tmp_path / "exam")
    study_uid = Instance.read(files[0]).study_uid
    with running(tmp_path, **site_for(tmp_path, "bright-volume")) as hilum:
        hilum.send(files[:6])
        hilum.settled(study_uid)
        hilum.send(files[6:])
        old, new = hilum.settled(study_uid, workitems=2).workitems
        hilum.send(files)  # all of it again: nothing new, nothing happens
        again = hilum.settled(study_uid, workitems=2).workitems
    assert old.superseded_by == new.id
    assert new.predecessor == old.id
    assert [new.chosen_series[0].images, len(again)] == [8, 2]


def test_a_module_that_fails_leaves_a_refusal_for_the_clinician(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = BRIGHT.replace(
        "volume = series", "raise RuntimeError('Marker^Patient'); volume = series"
    )
    install_plugin(tmp_path / "plugin", monkeypatch, broken, "bright-volume", "BrightVolume")
    files = write(mr_slices(count=8), tmp_path / "exam")
    with running(tmp_path, **site_for(tmp_path, "bright-volume", **ALL_KINDS)) as hilum:
        hilum.send(files)
        item = hilum.settled(Instance.read(files[0]).study_uid).workitems[0]
    assert item.state == "failed"
    assert "RuntimeError in plugin_bright_volume.py" in item.reason
    assert item.findings[0].code == "module-failed"
    assert sorted(ds.Modality for ds in delivered(tmp_path)) == ["DOC", "OT", "SR"]


def test_a_result_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_plugin(tmp_path / "plugin", monkeypatch, BRIGHT, "bright-volume", "BrightVolume")
    files = write(mr_slices(count=8), tmp_path / "exam")
    study_uid = Instance.read(files[0]).study_uid
    settings = site_for(tmp_path, "bright-volume")
    blocked = tmp_path / "blocked"
    blocked.write_text("not a folder yet")
    settings["destination"].append({"name": "later", "kind": "folder", "folder": blocked})
    settings["rule"][0]["send_to"].append("later")
    with running(tmp_path, **settings) as hilum:
        records, data = hilum.records, hilum.site.data
        refused = (False, "there is no such workitem")
        assert ask(records, data, RequestAction.WITHDRAW, "1.2.3") == refused
        hilum.send(files)
        verified = f"{COUNT} objects read back from out"
        hilum.until(lambda: verified in {e.text for e in trace(hilum, study_uid)}, "results")
        [item] = views.study(records, study_uid).workitems
        taken_back = {ds.SOPInstanceUID for ds in delivered(tmp_path)}
        for _ in range(2):  # asking again changes nothing
            answer = ask(records, data, RequestAction.WITHDRAW, item.id, "別の構造です。")
            assert answer == (True, "withdrawn; a note goes to out")
        blocked.unlink()  # now it can be written to
        old, note = hilum.settled(study_uid, workitems=2).workitems
        hilum.until(
            lambda: "cancelled" in {d.state for d in records.deliveries.of_workitem(old.id)},
            "the second folder",
        )
    assert [old.state, note.state] == ["withdrawn", "completed"]
    [written] = [ds for ds in delivered(tmp_path) if ds.Modality == "KO"]
    series = written.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
    named = {item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for item in series}
    assert named == taken_back
    assert written.StudyInstanceUID == study_uid
    assert written.ContentSequence[0].TextValue == "別の構造です。"
    assert not list(blocked.rglob("*.dcm"))  # nothing was sent there, so no note is either


def trace(hilum: Running, study_uid: str) -> list[dict]:
    return views.trace(hilum.records, study_uid)
