"""A module that asks for the patient's earlier exams gets those that are here, and says which."""

import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from factory import OURS, mr_slices, write
from hilum.acts.requests import obey
from hilum.config.site import Rule, Site
from hilum.dicom import codes
from hilum.dicom.identity import Identity
from hilum.dicom.instance import Instance
from hilum.dicom.part10 import as_file
from hilum.dicom.study import Study
from hilum.engine import exchange
from hilum.errors import ConfigurationError
from hilum.findings import Finding, Findings, Measurement, Note
from hilum.module import EarlierExams, Input, Module, findings_for
from hilum.objects.iod import sr
from hilum.objects.report import Report
from hilum.offline import analyse_folder
from hilum.records.models.workitems import Workitem
from hilum.records.states import EventKind, RequestAction, WorkitemState
from hilum.study import earlier_here
from hilum.study.arrivals import Arrivals
from hilum.study.earlier import is_before
from hilum.study.flow import Flow
from hilum.study.reviewing import Rules
from hilum.study.routing import select
from hilum.testing import check_module
from plugin import install_plugin
from tests.core.test_order_of_arrival import Gateway, gateway

RULE = Rule(module="growth", give_up_seconds=20)
MRI = Input("MR", slice_spacing=(0.5, 2.0))
DAYS = {"old": "20240301", "older": "20230301", "now": "20260101", "later": "20270101"}


class Growth:
    """Compares how bright a head is with how bright it was."""

    name, version = "growth", "1"
    needs = {"head": MRI, "before": EarlierExams(most=2, optional=True)}  # noqa: RUF012

    def run(self, head: Any, before: Any) -> Iterator[Finding]:
        yield Note(f"{len(before)} before")
        for series in before:
            yield Note(str(series.header.StudyDate))
            change = float(head.volume().array.mean() - series.volume().array.mean())
            yield Measurement(codes.LENGTH, change, codes.NO_UNITS)


class Strict(Growth):
    """Cannot do without."""

    needs = {"head": MRI, "before": EarlierExams(on="head")}  # noqa: RUF012


def exam(study: str, **values: Any) -> list[Dataset]:
    """A head on the day that belongs to the name of the study."""
    made = mr_slices(study, study, 6, (4, 4))
    for image in made:
        image.StudyDate = DAYS[study]
        for keyword, value in values.items():
            setattr(image, keyword, value)
    return made


def begin(hall: Gateway, module: type[Module] = Growth) -> None:
    hall.flow._hints.close()
    site = Site(**{**dict(hall.flow.site), "rule": (RULE,)})
    name = f"earlier {next(hall.numbers)}"
    hall.flow = Flow(site, hall.records, {"growth": module}, hall.clock, hall.engine, name)
    hall.flow.arrivals = Arrivals(hall.inbox, hall.records, OURS, hall.clock)


@pytest.fixture
def hall() -> Iterator[Gateway]:
    with gateway() as made:
        begin(made)
        yield made


def receive(hall: Gateway, study: str, **values: Any) -> Workitem:
    """Take in an exam; the workitem that stands for it."""
    images = exam(study, **values)
    for image in images:
        hall.receive(as_file(image), study)
    hall.wait(150)
    return standing(hall, str(images[0].StudyInstanceUID))


def standing(hall: Gateway, study_uid: str) -> Workitem:
    items = hall.records.workitems.of_study(study_uid)
    return next(item for item in reversed(items) if item.superseded_by is None)


def find(hall: Gateway, item: Workitem) -> None:
    """Be the worker that has run the module of `item`."""
    assert hall.flow.begin(item.id)
    hall.records.moves.set_state(item.id, WorkitemState.RUNNING)
    found = Findings((Note("done"),))
    exchange.save(found, hall.flow.workitems.result_folder(item.id))
    hall.records.workitems.note_findings(item, exchange.summary(found), "")
    hall.flow.write(item.id)


def trace(hall: Gateway, item: Workitem, kind: EventKind = EventKind.PRIORS) -> list[str]:
    return [event.text for event in hall.records.events.of_kind(item.study_uid, kind)]


def days(item: Workitem) -> list[str]:
    return [one.day for one in item.priors.get("before", ())]


def test_it_gets_the_latest_ones_whenever_they_came(hall: Gateway) -> None:
    receive(hall, "later")
    old, older = receive(hall, "old"), receive(hall, "older")
    now = receive(hall, "now")
    assert days(now) == ["2024-03-01", "2023-03-01"]
    assert trace(hall, now) == [
        "before: the exam of 2024-03-01 (HippoCrop), the exam of 2023-03-01 (HippoCrop)"
    ]
    given = hall.flow.workitems.given(now)
    assert {name: parts[0].path.parent for name, parts in given.items()} == {
        "head": hall.inbox.study_folder(now.study_uid),
        "before/0": hall.inbox.study_folder(old.study_uid),
        "before/1": hall.inbox.study_folder(older.study_uid),
    }
    assert days(old) == [], "the other one was not here yet"
    assert trace(hall, old) == ["before: no earlier exam"]


def test_studies_of_the_same_id_of_another_issuer_hide_none(
    hall: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(earlier_here, "MOST_READ", 2)
    receive(hall, "older", IssuerOfPatientID="own")
    for number in (1, 2, 3):
        monkeypatch.setitem(DAYS, f"other {number}", f"2025010{number}")
        receive(hall, f"other {number}", IssuerOfPatientID="other")
    assert days(receive(hall, "now", IssuerOfPatientID="own")) == ["2023-03-01"]


def test_an_exam_for_which_another_rule_lacks_its_module_is_given(hall: Gateway) -> None:
    rules = [RULE, Rule(module="gone")]
    hall.flow.rules = Rules(rules, hall.flow.needs, {}, hall.flow.workitems)
    receive(hall, "old")
    assert days(receive(hall, "now")) == ["2024-03-01"]


def test_when_an_exam_was_is_read_once(hall: Gateway) -> None:
    old, now = receive(hall, "old"), receive(hall, "now")
    for file in hall.inbox.study_folder(old.study_uid).glob("*.dcm"):
        changed = file.stat()
        file.write_bytes(b"cannot be read any more")
        os.utime(file, ns=(changed.st_atime_ns, changed.st_mtime_ns))
    here = hall.inbox.study_folder(now.study_uid)
    study = Study.of([Instance.read(file) for file in here.glob("*.dcm")])
    selection = select(study, hall.flow.needs["growth"], RULE)
    assert hall.flow.workitems.earlier.exams_for(RULE, selection) == now.priors


def test_a_result_names_them_and_its_uids_follow_from_them(hall: Gateway) -> None:
    old = receive(hall, "old")
    now = receive(hall, "now")
    find(hall, now)
    analysis = hall.flow.workitems.analysis(now)
    assert analysis.settings == ("before = the exam of 2024-03-01 (HippoCrop)",)
    [study] = sr.write(Report(analysis)).PertinentOtherEvidenceSequence
    assert study.StudyInstanceUID == old.study_uid
    [series] = study.ReferencedSeriesSequence
    images = exam("old")
    assert series.SeriesInstanceUID == images[0].SeriesInstanceUID
    named = {one.ReferencedSOPInstanceUID for one in series.ReferencedSOPSequence}
    assert named == {image.SOPInstanceUID for image in images}
    with gateway() as alone:
        begin(alone)
        without = receive(alone, "now")
        assert without.id != now.id
        find(alone, without)
        told = alone.flow.workitems.analysis(without).settings
        assert told == ("before = no earlier exam",)
    with gateway() as again:
        begin(again)
        receive(again, "old")
        assert receive(again, "now").id == now.id


@pytest.mark.filterwarnings("ignore:Invalid value for VR TM")  # that is meant
@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"PatientBirthDate": "19800101"}, "it names another patient (PatientBirthDate)"),
        ({"IssuerOfPatientID": "other"}, "it names another patient (IssuerOfPatientID)"),
        ({"Modality": "CT"}, "no series of it is of the same kind"),
        ({"PatientID": "other"}, ""),
        ({"StudyDate": DAYS["now"], "StudyTime": ""}, ""),
        ({"StudyDate": DAYS["now"], "StudyTime": "130000"}, ""),
        ({"StudyDate": DAYS["now"], "StudyTime": "12"}, ""),
        ({"StudyDate": DAYS["now"], "StudyTime": "1"}, ""),
        ({"StudyDate": ""}, ""),
    ],
)
def test_what_is_not_certainly_earlier_and_the_same_patients_is_not_used(
    hall: Gateway, values: dict[str, str], said: str
) -> None:
    for image in exam("old", **values):
        hall.receive(as_file(image), "old")
    hall.wait(150)
    now = receive(hall, "now", IssuerOfPatientID="own")
    assert days(now) == []
    because = f"; the exam of 2024-03-01 is not used: {said}" if said else ""
    assert trace(hall, now) == [f"before: no earlier exam{because}"]


def test_images_of_a_later_day_are_not_used_beside_an_earlier_one(hall: Gateway) -> None:
    *earlier, last = exam("old")
    last.StudyDate = DAYS["later"]
    for image in (*earlier, last):
        hall.receive(as_file(image), "old")
    hall.wait(150)
    now = receive(hall, "now")
    assert days(now) == []
    [line] = trace(hall, now)
    assert line.endswith("not all of its images say that they are earlier")


def test_one_of_the_same_day_is_earlier_by_its_time(hall: Gateway) -> None:
    receive(hall, "old", StudyDate=DAYS["now"], StudyTime="113000")
    assert days(receive(hall, "now")) == ["2026-01-01"]


def test_one_that_cannot_do_without_is_run_once_there_is_one(hall: Gateway) -> None:
    begin(hall, Strict)
    now = receive(hall, "now")
    assert now.state is WorkitemState.NOT_APPLICABLE
    assert now.reason.endswith("is here: fetch one with `hilum fetch`, then `hilum retry`")
    receive(hall, "old")
    hall.records.requests.add(RequestAction.RETRY, now.id)
    obey(hall.flow)
    hall.wait(60)
    again = standing(hall, now.study_uid)
    assert (again.state, days(again)) == (WorkitemState.SCHEDULED, ["2024-03-01"])


def test_it_waits_for_one_that_is_being_received(hall: Gateway) -> None:
    for study in ("now", "old"):
        for image in exam(study):
            hall.receive(as_file(image), study)
    uid = str(exam("now")[0].StudyInstanceUID)
    hall.wait(5)
    assert hall.records.workitems.of_study(uid) == []
    hall.wait(150)
    assert days(standing(hall, uid)) == ["2024-03-01"]


def test_what_was_removed_is_not_waited_for_and_makes_nothing_anew(hall: Gateway) -> None:
    old, now = receive(hall, "old"), receive(hall, "now")
    [gone, *_] = hall.inbox.study_folder(old.study_uid).glob("*.dcm")
    kept = gone.read_bytes()
    gone.unlink()
    assert not hall.flow.begin(now.id), "another takes its place"
    after = standing(hall, now.study_uid)
    assert (after.predecessor, days(after)) == (now.id, [])
    assert after.reason == "an earlier exam that it was to be given is no longer here as it was"
    gone.write_bytes(kept)
    with gateway() as other:
        begin(other)
        old, now = receive(other, "old"), receive(other, "now")
        find(other, now)
        for file in other.inbox.study_folder(old.study_uid).glob("*.dcm"):
            file.unlink()
        other.flow.arrivals.reopen(now.study_uid)
        other.wait(60)
        assert standing(other, now.study_uid).id == now.id, "its result stands"
        assert other.flow.workitems.analysis(now).priors == {"before": now.priors["before"]}


def correct(hall: Gateway, old: Workitem, images: Iterable[Dataset] = (), **values: Any) -> None:
    """Have `images` of the earlier exam, or all, sent again with other data, and taken."""
    corrected = list(images) or exam("old")
    for image in corrected:
        for keyword, value in values.items():
            setattr(image, keyword, value)
    identity = Identity.of(corrected[0]).key
    for image in corrected:
        name = hall.inbox.path_of(old.study_uid, str(image.SOPInstanceUID)).name
        hall.flow.corrections.versions.add(as_file(image), old.study_uid, identity, name)
    number = hall.records.requests.add(RequestAction.DECIDE, old.id, identity)
    hall.now = time.time()  # the exchanged files are as new as the machine says
    obey(hall.flow)
    answer = hall.records.requests.one(number).answer
    assert answer is not None
    assert answer.startswith("decided")
    hall.wait(150)


def test_an_exam_that_was_of_another_patient_takes_the_result_back(hall: Gateway) -> None:
    old, now = receive(hall, "old"), receive(hall, "now")
    find(hall, now)
    correct(hall, old, PatientID="somebody else", PatientBirthDate="19550101")
    assert hall.records.workitems.one(now.id).state is WorkitemState.WITHDRAWN
    again = standing(hall, now.study_uid)
    assert (again.state, days(again)) == (WorkitemState.SCHEDULED, [])
    assert again.predecessor == now.id
    [line] = trace(hall, now, EventKind.CORRECTED)
    assert line == f"an earlier exam, study {old.study_uid}, was corrected: the rules decide anew"


@pytest.mark.parametrize(
    ("values", "stands"),
    [
        ({"PatientID": "somebody else", "PatientBirthDate": "19550101"}, False),
        ({"PatientName": "Marker^Patiente"}, True),
    ],
)
def test_an_exam_of_which_only_another_series_was_sent_again(
    hall: Gateway, values: dict[str, str], stands: bool
) -> None:
    """What a later result used goes with the rest of its study, unless it is of that patient."""
    old = receive(hall, "old")
    hall.records.moves.cancel(old, "nobody wants its own result")
    now = receive(hall, "now")
    find(hall, now)
    [scout] = mr_slices("scout", "old", 1, (4, 4), description="Scout")
    scout.StudyDate = DAYS["old"]
    hall.receive(as_file(scout), "scout")
    hall.wait(150)
    assert standing(hall, now.study_uid).id == now.id
    correct(hall, old, [scout], **values)
    assert (hall.records.workitems.one(now.id).state is WorkitemState.WITHDRAWN) is not stands
    again = standing(hall, now.study_uid)
    assert (again.id == now.id, days(again)) == (stands, ["2024-03-01"] if stands else [])


def test_a_late_copy_as_it_was_before_a_correction_is_not_used(hall: Gateway) -> None:
    """The images of the corrected exam were removed meanwhile, so the copy is taken in."""
    old = receive(hall, "old")
    find(hall, old)
    correct(hall, old, PatientID="somebody else", PatientBirthDate="19550101")
    for file in hall.inbox.study_folder(old.study_uid).glob("*.dcm"):
        file.unlink()
    assert receive(hall, "old").state is WorkitemState.HELD
    now = receive(hall, "now")
    assert days(now) == []


def test_a_correction_to_and_fro_leaves_a_result_each_time(hall: Gateway) -> None:
    old, now = receive(hall, "old"), receive(hall, "now")
    names = ("Marker^Patiente", "Marker^Patient", "Marker^Patiente")
    made = [now]
    for name in names:
        find(hall, made[-1])
        correct(hall, old, PatientName=name)
        made.append(standing(hall, now.study_uid))
        assert hall.records.workitems.one(made[-2].id).state is WorkitemState.WITHDRAWN
        assert (made[-1].state, days(made[-1])) == (WorkitemState.SCHEDULED, ["2024-03-01"])
    assert len({item.id for item in made}) == 4


def test_what_a_module_is_given_in_its_test(tmp_path: Path) -> None:
    files = {study: write(exam(study), tmp_path / study) for study in DAYS}
    others = [files[study] for study in ("older", "later", "old")]
    found = check_module(Growth, files["now"], earlier=others)
    texts = [note.text for note in found.notes]
    assert texts == ["2 before", "20240301", "20230301"]
    assert len(found.measurements) == 2
    assert check_module(Growth, files["now"]).notes[0].text == "0 before"


SOURCE = """
    from hilum import EarlierExams, Input, Note

    class Module:
        name, version = "before", "1"
        needs = {"head": Input("MR"), "before": EarlierExams()}

        def run(self, head, before):
            yield Note(f"{before[0].header.StudyDate} before {head.header.StudyDate}")
"""


def test_a_folder_that_holds_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_plugin(tmp_path / "plugin", monkeypatch, SOURCE, "before")
    for study in ("now", "old"):
        write(exam(study), tmp_path / "in" / study)
    first, second = analyse_folder("before", tmp_path / "in", tmp_path / "out", {})
    assert first.reason.endswith("is here: put it into the folder, too")
    assert not first.results
    assert second.findings is not None
    assert second.findings[0].text == "20240301 before 20260101"


def test_an_input_that_is_not_there_is_refused() -> None:
    class Wrong(Growth):
        needs = {"head": MRI, "before": EarlierExams(on="heart")}  # noqa: RUF012

    with pytest.raises(ConfigurationError, match="'before' goes with 'heart'"):
        findings_for(Wrong)
    with pytest.raises(ValueError, match="most is 0"):
        EarlierExams(most=0)


MOMENTS = st.tuples(
    st.sampled_from(["20230101", "20240101", "20260101"]),
    st.sampled_from(["", "09", "0900", "090000", "120000", "1200", "170000.5", "170000.50"]),
)


@given(one=MOMENTS, other=MOMENTS, third=MOMENTS)
def test_nothing_is_earlier_than_what_is_earlier_than_it(
    one: tuple[str, str], other: tuple[str, str], third: tuple[str, str]
) -> None:
    assert not is_before(one, one)
    assert not (is_before(one, other) and is_before(other, one))
    if is_before(one, other) and is_before(other, third):
        assert is_before(one, third)
    if one[1].startswith(other[1]) and one[0] == other[0]:
        assert not is_before(other, one), "it may be the same moment"
    assert not is_before(None, one)
    assert not is_before(one, None)
