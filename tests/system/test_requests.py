"""What a person may ask for while the service runs, and modules that behave badly."""

import os
import signal
from pathlib import Path

import pytest

from factory import mr_slices, write
from hilum.acts.asking import ask, to_be_tried_again
from hilum.dicom.instance import Instance
from hilum.processes.process import descendants
from hilum.records import views
from hilum.records.states import RequestAction
from hilum.study.flow import MOST_RUNS
from hilum_lab.archives.behaviour import EVERY, WebBehaviour
from hilum_lab.archives.dicomweb import WELL, DicomwebArchive
from plugin import install_moody, may_write

from .site import Running, running


@pytest.fixture
def diary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return install_moody(tmp_path / "plugin", monkeypatch)


def exam(folder: Path, mood: str, study: str = "") -> list[Path]:
    slices = mr_slices(mood, study or mood, 3, description=f"exam {mood}")
    return write(slices, folder / (study or mood))


def study_of(files: list[Path]) -> str:
    return Instance.read(files[0]).study_uid


def rule(**values: object) -> dict[str, object]:
    return {"module": "moody", "send_to": ["out"], **values}


def settings(tmp_path: Path, *rules: dict[str, object], **more: object) -> dict[str, object]:
    folder = {"name": "out", "kind": "folder", "folder": tmp_path / "out", **more}
    host = may_write(tmp_path / "plugin")
    return {"destination": [folder], "rule": rules or [rule()], "host": [host]}


def item_of(hilum: Running, files: list[Path]) -> views.WorkitemView:
    return views.study(hilum.records, study_of(files)).workitems[-1]


def runs(hilum: Running, files: list[Path]) -> bool:
    kinds = [event.kind for event in views.trace(hilum.records, study_of(files))]
    return "running" in kinds


def asked(hilum: Running, action: str, files: list[Path]) -> tuple[bool, str]:
    return ask(hilum.records, hilum.site.data, RequestAction(action), item_of(hilum, files).id)


def test_bad_modules_end_only_their_own_study(tmp_path: Path, diary: Path) -> None:
    """One costs its worker each time, one raises, one hangs until it is cancelled; one is good."""
    moods = ("hangs for its worker", "raises", "hangs", "good", "absurd")
    killer, raiser, hanger, good, absurd = (exam(tmp_path, mood) for mood in moods)
    with running(tmp_path, **settings(tmp_path, objects=["sr", "pdf"])) as hilum:
        hilum.send(killer)
        for number in range(1, MOST_RUNS + 1):
            hilum.until(lambda n=number: lines(diary, moods[0]) == n, f"run {number}")
            end_worker()  # as the kernel does where all memory of the machine is taken
        item = hilum.settled(study_of(killer)).workitems[0]
        assert item.state == "failed"
        assert item.reason == "its analysis ended its worker 5 times"
        assert [f.code for f in item.findings] == ["module-failed"]
        assert {r.kind for r in item.results} >= {"sr", "pdf"}
        assert all(r.verified for r in item.results)

        hilum.send(absurd)  # its finding cannot be written
        item = hilum.settled(study_of(absurd)).workitems[0]
        assert (item.state, item.findings[0].code) == ("failed", "module-failed")
        assert all(r.verified for r in item.results)

        hilum.send(raiser)
        hilum.settled(study_of(raiser))
        hilum.send(hanger)
        hilum.until(lambda: runs(hilum, hanger), "the module that hangs")
        hilum.send(good)
        hilum.until(lambda: study_known(hilum, good), "the good study")
        assert asked(hilum, "cancel", hanger) == (True, "cancelled by a person")
        hilum.until(lambda: runs(hilum, good), "the free slot")  # else in ten minutes
        cancelled = hilum.settled(study_of(hanger)).workitems[0]
        assert (cancelled.state, cancelled.results) == ("cancelled", ())
        assert hilum.settled(study_of(good)).workitems[0].state == "completed"

        assert "not failed" in asked(hilum, "retry", good)[1]
        assert "not cancelled" in asked(hilum, "cancel", raiser)[1]
        diary.with_name("mended").touch()
        done, answer = asked(hilum, "retry", raiser)
        assert done, answer
        old, new = hilum.settled(study_of(raiser), workitems=2).workitems
        done, answer = ask(hilum.records, hilum.site.data, RequestAction.RETRY, old.id)
        assert (done, answer) == (False, f"not tried again: {new.id} is completed")
    assert (old.state, old.superseded_by) == ("failed", new.id)
    assert (new.state, new.predecessor) == ("completed", old.id)
    assert [lines(diary, mood) for mood in moods[:4]] == [MOST_RUNS, 2, 1, 1]


def lines(diary: Path, mood: str) -> int:
    return diary.read_text().splitlines().count(mood) if diary.exists() else 0


def end_worker() -> None:
    for pid, name in descendants(os.getpid()).items():
        if name.startswith("hilum worker"):
            os.kill(pid, signal.SIGKILL)


def study_known(hilum: Running, files: list[Path]) -> bool:
    try:
        return bool(hilum.records.workitems.of_study(study_of(files)))
    except LookupError:
        return False


def test_what_was_not_applicable_is_judged_anew(tmp_path: Path, diary: Path) -> None:
    """The cure that the reason names is applied: other settings, a restart, `hilum retry`."""
    slices = mr_slices("good", "tilted", 18, description="exam good")
    for number, ds in enumerate(slices):
        ds.ImagePositionPatient = [0, 0.0875 * number, number]
    files = write(slices, tmp_path / "tilted")
    quick = {"study_quiet_seconds": 1, "give_up_seconds": 1}
    with running(tmp_path, **settings(tmp_path, rule(**quick))) as hilum:
        hilum.send(files)
        (item,) = hilum.settled(study_of(files)).workitems
        assert (item.state, "gantry tilt of 5.0°" in item.reason) == ("not applicable", True)
        assert 'rule.tilt = "resample"' in item.reason
        before = asked(hilum, "retry", files)
        assert before == (False, f"judged anew: not applicable, {item.reason}")
    with running(tmp_path, **settings(tmp_path, rule(**quick, tilt="resample"))) as hilum:
        assert to_be_tried_again(hilum.records, study_of(files)) == [item.id]
        done, answer = asked(hilum, "retry", files)
        assert done, answer
        (new,) = hilum.settled(study_of(files)).workitems
        assert answer == f"judged anew: analysed by {new.module} as workitem {new.id}"
        assert new.state == "completed"
        assert any("gantry tilt" in getattr(f, "text", "") for f in new.findings)


def test_what_is_held_is_judged_anew_and_is_never_run_in_part(tmp_path: Path, diary: Path) -> None:
    """What an image or a lost association told is known after a restart, too."""
    slices = mr_slices("good", "short", 18, description="exam good")
    for ds in slices:
        ds.NumberOfSeriesRelatedInstances = 20
    files = write(slices, tmp_path / "short")
    quick = {"study_quiet_seconds": 1, "give_up_seconds": 1}
    with running(tmp_path, **settings(tmp_path, rule(**quick))) as hilum:
        hilum.send(files)
        (item,) = hilum.settled(study_of(files)).workitems
        assert item.state == "held"
    with running(tmp_path, **settings(tmp_path, rule(**quick))) as hilum:
        done, answer = asked(hilum, "retry", files)
        assert (done, "held, 18 of 20 images" in answer) == (False, True)
    with running(tmp_path, **settings(tmp_path, rule(**quick, incomplete="analyse"))) as hilum:
        assert asked(hilum, "retry", files)[0]
        (new,) = hilum.settled(study_of(files)).workitems
        assert (new.state, "18 of 20" in new.incomplete) == ("completed", True)


def test_other_rules_judge_what_none_has_taken(tmp_path: Path, diary: Path) -> None:
    files = exam(tmp_path, "good")
    quick = {"study_quiet_seconds": 1, "give_up_seconds": 1}
    other = rule(**quick, series={"SeriesDescription": "other"})
    with running(tmp_path, **settings(tmp_path, other)) as hilum:
        hilum.send(files)
        (item,) = hilum.settled(study_of(files)).workitems
        assert item.reason.startswith("no matching series")
    mended = rule(**quick, series={"SeriesDescription": "good"})
    with running(tmp_path, **settings(tmp_path, mended)) as hilum:
        assert asked(hilum, "retry", files)[0]
        (new,) = hilum.settled(study_of(files)).workitems
        assert new.state == "completed"


def test_stat_runs_next(tmp_path: Path, diary: Path) -> None:
    urgent = rule(priority="STAT", series={"SeriesDescription": "urgent$"})
    usual = rule(priority="LOW", series={"SeriesDescription": "(hangs|usual)$"})
    first = exam(tmp_path, "hangs")
    waiting = [exam(tmp_path, "usual", f"usual {n}") for n in range(3)]
    stat = exam(tmp_path, "urgent")
    with running(tmp_path, **settings(tmp_path, urgent, usual)) as hilum:
        hilum.send(first)
        hilum.until(diary.exists, "the module that hangs")
        for files in [*waiting, stat]:
            hilum.send(files)
            hilum.until(lambda files=files: scheduled(hilum, files), "the study")
        ids = [i.id for i in hilum.records.workitems.of_study(study_of(first))]
        for workitem_id in ids:
            ask(hilum.records, hilum.site.data, RequestAction.CANCEL, workitem_id)
        for files in waiting:
            hilum.until(lambda files=files: completed(hilum, files), "the usual studies")
    assert diary.read_text().splitlines() == ["hangs", "urgent", *["usual"] * 3]


def scheduled(hilum: Running, files: list[Path]) -> bool:
    return any(e.kind == "scheduled" for e in views.trace(hilum.records, study_of(files)))


def completed(hilum: Running, files: list[Path]) -> bool:
    items = hilum.records.workitems.of_study(study_of(files))
    return "completed" in [item.state for item in items]


def test_what_was_refused_is_released(tmp_path: Path, diary: Path) -> None:
    archive = DicomwebArchive()
    archive.open(WebBehaviour(reasons={EVERY: 0xC000}))
    files = exam(tmp_path, "good")
    base = settings(tmp_path, rule(send_to=["out", "pacs"]))
    base["destination"].append({"name": "pacs", "kind": "dicomweb", "url": archive.url})
    with running(tmp_path, **base) as hilum:
        hilum.send(files)
        item = hilum.settled(study_of(files)).workitems[0]
        assert item.state == "parked"
        assert item.reason == "pacs (refused)"
        parked = hilum.records.deliveries.parked
        assert parked() == parked("pacs") == [item.id]
        assert parked("out") == []
        archive.behaviour = WELL  # the cure
        assert asked(hilum, "release", files) == (True, "released; it goes to pacs")
        item = hilum.settled(study_of(files)).workitems[0]
        assert asked(hilum, "release", files)[0] is False
    archive.close()
    assert item.state == "completed"
    assert {r.identity for r in item.results} == set(archive.holds)
