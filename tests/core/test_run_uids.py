"""The UIDs of a result hold no clock and no order: what was analysed, by what, whose it is."""

import itertools
import os
import random
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from factory import mr_slices
from hilum.config.kinds import STANDARD_OBJECTS
from hilum.config.site import Rule
from hilum.dicom.identity import Identity
from hilum.dicom.instance import Instance
from hilum.dicom.series import Series
from hilum.dicom.uids import derived_uid
from hilum.inbox import Inbox
from hilum.module import ModuleFacts
from hilum.objects.iod.common import sop_instance_uid
from hilum.offline import analyse_folder
from hilum.records.states import WorkitemState
from hilum.runs import repeated_uid, run_uid, withdrawal_uid
from plugin import BRIGHT, install_plugin
from tests.core.test_order_of_arrival import HELD, SLICES, Gateway, contents, gateway, slices
from tests.objects import exams

COUNT = 4
RULE = Rule(module="m", series={"SeriesDescription": "Hippo"})
MODULE = ModuleFacts("m", "1", "M", "00" * 32)


def stored(images: list[Dataset], folder: Path) -> list[Instance]:
    """`images` as the inbox below `folder` names their files."""
    inbox = Inbox(folder)
    buffers = [pydicom.filebase.DicomBytesIO() for _ in images]
    for image, buffer in zip(images, buffers, strict=True):
        image.save_as(buffer, enforce_file_format=True)
    return [Instance.read(inbox.store(buffer.getvalue()).path) for buffer in buffers]


def id_of(images: list[Instance], **changes: Any) -> str:
    series = Series.of(images)
    given = {"rule": RULE, "module": MODULE, "inputs": {"series": [series]}, **changes}
    return run_uid(**given)


@pytest.fixture(scope="module")
def exam(tmp_path_factory: pytest.TempPathFactory) -> list[Instance]:
    return stored(mr_slices(count=COUNT, shape=(4, 4)), tmp_path_factory.mktemp("exam"))


@given(st.permutations(range(COUNT)), st.randoms(use_true_random=False))
@settings(deadline=None)
def test_the_order_of_images_and_the_names_of_files_change_nothing(
    exam: list[Instance], order: list[int], names: random.Random
) -> None:
    moved = [replace(exam[n], path=Path(f"/{names.random()}/{names.random()}.dcm")) for n in order]
    assert id_of(moved) == id_of(exam)


def told(keyword: str, value: str) -> Callable[[list[Dataset]], None]:
    """Changes an attribute of all images, as a corrected patient's have it."""

    def change(images: list[Dataset]) -> None:
        for image in images:
            setattr(image, keyword, value)

    return change


def issued_by(universal: str) -> Callable[[list[Dataset]], None]:
    def change(images: list[Dataset]) -> None:
        for image in images:
            item = Dataset()
            item.UniversalEntityID, item.UniversalEntityIDType = universal, "ISO"
            image.IssuerOfPatientIDQualifiersSequence = [item]

    return change


WHOSE_AND_WHICH = {
    "patient": told("PatientID", "another"),
    "name": told("PatientName", "Roe^Jane"),
    "issuer": told("IssuerOfPatientID", "B"),
    "universal issuer": issued_by("1.2.3"),
    "study": told("StudyInstanceUID", "1.2.4"),
    "accession": told("AccessionNumber", "A2"),
    "one image of another patient": lambda images: told("PatientID", "another")(images[:1]),
    "fewer images": lambda images: images.pop() and None,
    "another image": lambda images: setattr(images[0], "SOPInstanceUID", "1.2.5"),
}
BY_WHAT = {
    "module": {"module": replace(MODULE, name="n")},
    "version": {"module": replace(MODULE, version="2")},
    "weights": {"module": replace(MODULE, weights_sha256="11" * 32)},
    "rule": {"rule": RULE.model_copy(update={"series": {"SeriesDescription": "."}})},
    "rule of an input": {"rule": RULE.model_copy(update={"inputs": {"a": {"Modality": "MR"}}})},
    "parameter": {"rule": RULE.model_copy(update={"tilt": "resample"})},
    "taken back once": {"taken_back": 1},
    "taken back twice": {"taken_back": 2},
}


@pytest.mark.parametrize("what", WHOSE_AND_WHICH)
def test_other_images_or_another_person_give_another_run(
    exam: list[Instance], tmp_path: Path, what: str
) -> None:
    images = mr_slices(count=COUNT, shape=(4, 4))
    assert id_of(stored(images, tmp_path / "same")) == id_of(exam)
    WHOSE_AND_WHICH[what](images)
    for image in images:
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    assert id_of(stored(images, tmp_path / "changed")) != id_of(exam)


def test_every_named_input_gives_a_run_of_its_own(exam: list[Instance]) -> None:
    ids = [id_of(exam), *(id_of(exam, **change) for change in BY_WHAT.values())]
    series = Series.of(exam)
    ids += [
        run_uid(RULE, MODULE, {"t1": [series]}),
        run_uid(RULE, MODULE, {"series": [series] * 2}),
    ]
    ids += [repeated_uid(ids[0], MODULE), repeated_uid(ids[0], replace(MODULE, version="2"))]
    ids.append(withdrawal_uid(ids[0]))
    assert len(set(ids)) == len(ids)


def test_what_changes_nothing_of_the_outcome_changes_no_run(exam: list[Instance]) -> None:
    """A rule's destinations, priority and patience are not its parameters."""
    other = RULE.model_copy(update={"priority": "STAT", "send_to": ("a",), "quiet_seconds": 9.0})
    assert id_of(exam, rule=other) == id_of(exam)


def test_the_objects_of_a_run_follow_from_it_and_not_from_the_clock(tmp_path: Path) -> None:
    study = exams.write_exam(tmp_path)
    one = exams.analysis_of(study, study.series[0])
    later = replace(one, created=datetime(2031, 5, 6).astimezone())
    named = [
        (kind, variant, n)
        for kind in STANDARD_OBJECTS
        for variant in ("", "binary")
        for n in (1, 2)
    ]
    uids = [sop_instance_uid(one, *which) for which in named]
    assert uids == [sop_instance_uid(later, *which) for which in named]
    assert len(set(uids)) == len(named)


@given(
    st.permutations(range(SLICES)),
    st.floats(0, 4e9),
    st.lists(st.integers(1, SLICES), max_size=3),
    st.lists(st.sampled_from([0.1, 0.7, 3.0]), min_size=4, max_size=4),
)
@settings(max_examples=10, deadline=None)
def test_any_order_and_any_clock_end_in_the_same_run(
    order: list[int], start: float, breaks: list[int], pauses: list[float]
) -> None:
    """Sent by one association, or by several with pauses in which a part may be analysed."""
    with gateway() as hall:
        hall.now = start
        ends = sorted({0, SLICES, *breaks})
        for number, (first, end) in enumerate(itertools.pairwise(ends)):
            for image in order[first:end]:
                hall.now += 0.1
                hall.receive(contents("one")[image], str(number))
            hall.wait(pauses[number])
            hall.analyse(2)
        assert whole(hall) == expected()


def whole(hall: Gateway) -> str:
    """The id of the last run, once all has come to rest."""
    hall.wait(150)
    hall.analyse(100)
    return hall.items("one")[-1].id


def expected(taken_back: int = 0) -> str:
    with gateway() as other:
        images = stored(slices("one"), other.flow.site.data / "copy")
    facts = ModuleFacts("m", "1", "m", other.flow.facts["m"].weights_sha256)
    return run_uid(HELD, facts, {"series": [Series.of(images)]}, taken_back)


def test_a_result_that_was_taken_back_is_made_anew_only_by_a_decision() -> None:
    with gateway() as hall:
        study = str(slices("one")[0].StudyInstanceUID)
        for image in contents("one"):
            hall.receive(image, "a")
        first = whole(hall)
        assert first == expected()
        identity = Identity.of(slices("one")[0]).key
        for taken_back in (1, 2):
            before = hall.items("one")
            assert hall.records.moves.set_state(before[-1].id, WorkitemState.WITHDRAWN, "wrong")
            hall.flow.arrivals.reopen(study)
            assert whole(hall) == before[-1].id  # nobody has asked for another one
            hall.flow.arrivals.decide(study, identity, hall.now, "a person decided")
            assert whole(hall) == expected(taken_back)
            hall.flow.arrivals.decide(study, identity, hall.now, "a person decided")
            assert whole(hall) == expected(taken_back)  # it stands


def test_a_run_that_an_earlier_version_named_otherwise_is_the_same_run() -> None:
    """After an update a finished study is not analysed again because ids are made otherwise."""
    with gateway() as hall:
        for image in contents("one"):
            hall.receive(image, "a")
        whole(hall)
        [item] = hall.items("one")
        for table in ("workitem", "subject"):
            rename(hall, table, item.id, derived_uid("as it was named before"))
        hall.engine.launched.clear()
        hall.flow.arrivals.reopen(item.study_uid)
        assert whole(hall) == derived_uid("as it was named before")
        assert hall.states("one") == [("completed", SLICES)]


def test_a_newer_module_makes_no_result_again_unless_images_come_again() -> None:
    with gateway() as hall:
        for image in contents("one"):
            hall.receive(image, "a")
        first = whole(hall)
        [item] = hall.items("one")
        hall.flow.facts["m"] = replace(hall.flow.facts["m"], version="2")
        hall.flow.arrivals.reopen(item.study_uid)
        assert whole(hall) == first
        hall.now += 1.0
        for file in hall.flow.inbox.study_folder(item.study_uid).iterdir():
            os.utime(file, (hall.now, hall.now))  # removed by a rule, then sent again
        hall.flow.arrivals.reopen(item.study_uid)
        assert whole(hall) != first
        assert [item.version for item in hall.items("one")] == ["1", "2"]


def test_an_error_after_the_results_are_owed_changes_nothing_of_them() -> None:
    """The engine, or a hint, may fail when the destinations have the results already."""
    with gateway() as hall:
        for image in contents("one"):
            hall.receive(image, "a")
        whole(hall)
        [item] = hall.items("one")
        events = hall.records.events.of_study(item.study_uid)
        hall.flow.fail(item.id, "the engine does not answer")
        assert hall.items("one") == [item]
        assert hall.records.events.of_study(item.study_uid) == events


def rename(hall: Gateway, table: str, old: str, new: str) -> None:
    import sqlalchemy as sa

    from hilum.records import tables

    found: sa.Table = getattr(tables, table)
    column = found.c.id if table == "workitem" else found.c.workitem_id
    change = found.update().where(column == old).values({column.name: new})
    hall.records.database.transact(lambda connection: connection.execute(change))


def test_hilum_run_gives_the_same_uids_wherever_the_images_lie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing but date and time tells what was made of the same images another day."""
    install_plugin(tmp_path / "plugin", monkeypatch, BRIGHT, "bright-volume", "BrightVolume")
    made = []
    for number, name in enumerate(("one", "two")):
        for index, image in enumerate(mr_slices(count=8)[:: 1 if number else -1]):
            path = tmp_path / name / f"{number}-{index}.dcm"
            path.parent.mkdir(exist_ok=True)
            image.save_as(path, enforce_file_format=True)
        [report] = analyse_folder("bright-volume", tmp_path / name, tmp_path / f"{name}-out", {})
        made.append({r.kind: timeless(pydicom.dcmread(r.path)) for r in report.results})
    one, two = made
    assert {*one, "own", "pm"} == set(STANDARD_OBJECTS)  # the module makes none of these
    for kind in ("seg", "sr"):
        assert one[kind] == two[kind]
    assert [one[k].SOPInstanceUID for k in one] == [two[k].SOPInstanceUID for k in two]


def timeless(dataset: Dataset) -> Dataset:
    """`dataset` without what says when it was made."""
    copy = deepcopy(dataset)

    def remove(within: Dataset, element: pydicom.DataElement) -> None:
        if element.VR in ("DA", "TM", "DT"):
            del within[element.tag]

    copy.walk(remove)
    return copy
