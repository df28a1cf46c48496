"""A result belongs to the patient of the images it was made from, whatever else the study holds."""

from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import config
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from factory import instances, mr_slices
from hilum.arrival import Arrival
from hilum.assembly import Hold, Run, decide
from hilum.config.site import Rule
from hilum.dicom.doubt import DIFFERENT
from hilum.dicom.header import Header
from hilum.dicom.identity import (
    MOST_SPELLINGS,
    Patient,
    attributes,
    disagreement,
    label_of,
    of_patient,
)
from hilum.dicom.instance import Instance
from hilum.dicom.study import Study
from hilum.errors import IdentityError
from hilum.findings import Findings, Refusal
from hilum.module import Input, ModuleFacts
from hilum.objects import Analysis, write_objects

CROP = Input("MR", slice_spacing=(0.5, 2.0))
MODULE = ModuleFacts("m", "1", "M", "5f" * 32)


def header(**values: object) -> Header:
    stated = Header()
    for keyword, value in values.items():
        tag = Tag(keyword)
        stated.add(DataElement(tag, dictionary_VR(tag), value, validation_mode=config.IGNORE))
    return stated


def stated_by(name: str = "", date: str = "", patient_id: str = "", issuer: str = "") -> Patient:
    return Patient.of(
        header(
            PatientName=name, PatientBirthDate=date, PatientID=patient_id, IssuerOfPatientID=issuer
        )
    )


ROE = stated_by("Roe^Jane", "19600102", "1", "A")


@pytest.mark.parametrize(
    ("other", "differ"),
    [
        (stated_by("Roe^Jane", "19600102", "1", "A"), ()),
        (stated_by("Roe^Jane", "19600102", "2", "A"), ("PatientID",)),
        (stated_by("Roe^Jane", "19600102", "1", "B"), ("IssuerOfPatientID",)),
        (stated_by("Doe^John", "19600102", "1", "A"), ()),  # a wedding
        (stated_by("Roe^Jane", "19600103", "1", "A"), ()),  # a slip of the finger
        (stated_by("Doe^John", "19600103", "1", "A"), ("PatientName", "PatientBirthDate")),
        (stated_by("Roe^Jane", "19600102", "", "A"), ()),
        (stated_by("Roe^Jane", "", "", "A"), ("PatientID",)),
        (stated_by("", "19600102", "", "A"), ("PatientID",)),
        (stated_by("Doe^John", "19600102", "", "A"), ("PatientID",)),
        (stated_by("Roe^Jane", "19600102", "1", ""), ()),
        (stated_by("", "", "1", "A"), ()),
        (stated_by(" ROE ^Jane^^ ", "1960.01.02", " 1 ", "A "), ()),  # spaces and case of a name
        (stated_by("Roe^Jane", "19600102", "1", "a"), ("IssuerOfPatientID",)),  # not of an issuer
        (stated_by("Roe^Jane=王^小", "19600102", "", "A"), ()),  # the groups that both state
        (stated_by("=王^小", "19600102", "", "A"), ("PatientID",)),  # none that both state
    ],
)
def test_who_is_the_same_as_jane_roe(other: Patient, differ: tuple[str, ...]) -> None:
    assert ROE.differences(other) == other.differences(ROE) == differ
    assert disagreement([ROE, other]) == differ


def test_without_ids_one_other_name_is_enough() -> None:
    assert stated_by("Roe^Jane").differences(stated_by("Doe^John")) == ("PatientName",)
    assert stated_by("Roe^Jane").differences(stated_by("")) == ()


def test_a_universal_issuer_counts_as_much_as_a_local_one() -> None:
    def of(universal: str) -> Patient:
        item = Dataset()
        item.UniversalEntityID, item.UniversalEntityIDType = universal, "ISO"
        return Patient.of(header(PatientID="1", IssuerOfPatientIDQualifiersSequence=[item]))

    assert of("1.2.3").differences(of("1.2.3")) == ()
    assert of("1.2.3").differences(of("1.2.4")) == ("IssuerOfPatientID",)


def test_one_image_without_issuer_does_not_make_two_patients_one() -> None:
    a, nobody, b = (stated_by(patient_id="1", issuer=issuer) for issuer in ("A", "", "B"))
    assert disagreement([a, nobody]) == disagreement([nobody, b]) == ()
    assert disagreement([a, nobody, b]) == ("IssuerOfPatientID",)


def test_half_stated_images_do_not_give_a_patient_who_does_not_exist() -> None:
    """A date from the second and a name from the third contradict the last in both."""
    stated = [("", ""), ("", "19600102"), ("Doe^John", ""), ("Roe^Jane", "19700101")]
    patients = [stated_by(name, date, "2") for name, date in stated]
    assert not any(a.differences(b) for a, b in combinations(patients, 2))
    assert disagreement(patients) == ("PatientName", "PatientBirthDate")
    assert disagreement(patients[:3]) == ()


def test_thousands_of_spellings_are_not_compared() -> None:
    names = [stated_by(f"Roe^{n}", "19600102", "1") for n in range(20_000)]
    assert disagreement(names[:MOST_SPELLINGS]) == ()
    assert disagreement(names) == ("PatientID", "PatientName")


# What images may state: small sets, so that they meet.
PATIENTS = st.builds(
    stated_by,
    st.sampled_from(["", "Roe^Jane", "ROE^JANE", "Doe^John"]),
    st.sampled_from(["", "19600102", "19700101"]),
    st.sampled_from(["", "1", "2"]),
    st.sampled_from(["", "A", "B"]),
)


@given(st.lists(PATIENTS, max_size=6))
def test_a_set_agrees_only_if_each_pair_does_and_so_does_what_they_say_together(
    patients: list[Patient],
) -> None:
    pairs = list(combinations(patients, 2))
    other_name = any(a.name_differs(b) for a, b in pairs)
    other_date = any(a.birth_date_differs(b) for a, b in pairs)
    differ = any(a.differences(b) for a, b in pairs) or (other_name and other_date)
    assert bool(disagreement(patients)) == differ
    assert set(disagreement(patients)) == set(disagreement(patients[::-1]))


@dataclass(frozen=True)
class Stated:
    """What one image says of its patient, one letter for each of the attributes."""

    name: str
    birth_date: str
    patient_id: str
    issuer: str
    sex: str
    accession: str


STATED = st.builds(
    Stated,
    st.sampled_from(["", "Roe^Jane", "Doe^John"]),
    st.sampled_from(["", "19600102", "19700101"]),
    st.sampled_from(["", "1", "2"]),
    st.sampled_from(["", "A", "B"]),
    st.sampled_from(["", "F", "M"]),
    st.sampled_from(["", "X1", "Y2"]),
)
KEYWORDS = {
    "name": "PatientName",
    "birth_date": "PatientBirthDate",
    "patient_id": "PatientID",
    "issuer": "IssuerOfPatientID",
    "sex": "PatientSex",
    "accession": "AccessionNumber",
}
TEMPLATE = {name: mr_slices(name, count=4, shape=(4, 4)) for name in ("crop", "scout", "other")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("templates")


@cache
def templates(folder: Path) -> dict[str, list[Instance]]:
    return {name: instances(slices, folder) for name, slices in TEMPLATE.items()}


def labelled(image: Instance, stated: Stated) -> Instance:
    """A copy of `image` that names the patient `stated`."""
    copy = Header(image.header)
    for name, keyword in KEYWORDS.items():
        setattr(copy, keyword, getattr(stated, name))
    return replace(image, header=copy)


@settings(deadline=None)
@given(
    analysed=st.lists(STATED, min_size=4, max_size=4),
    beside=st.lists(STATED, min_size=8, max_size=8),
    is_one=st.booleans(),
)
def test_a_result_is_never_a_mixture(
    folder: Path,
    analysed: list[Stated],
    beside: list[Stated],
    is_one: bool,
) -> None:
    """Any assignment of patients to images: a result under that of all its images, or none."""
    if is_one:
        analysed = analysed[:1] * 4
    crop = [labelled(i, s) for i, s in zip(templates(folder)["crop"], analysed, strict=True)]
    rest = [*templates(folder)["scout"], *templates(folder)["other"]]
    others = [labelled(i, s) for i, s in zip(rest, beside, strict=True)]
    arrival = Arrival(crop[0].study_uid)
    for number, image in enumerate([*crop, *others]):
        arrival.add(image, float(number))
    rule = Rule(module="m", series={"SeriesInstanceUID": crop[0].series_uid})
    decision = decide(arrival, {"series": CROP}, rule, 1000.0)
    agree = not disagreement(image.patient for image in crop)
    assert not agree or not any(a.patient.differences(b.patient) for a, b in combinations(crop, 2))
    assert isinstance(decision, Run if agree else Hold)
    if isinstance(decision, Hold):
        assert not any(value in decision.reason for value in ("Roe", "Doe", "1960", "1970"))
        with pytest.raises(IdentityError):
            attributes(crop, others)
        return
    analysis = Analysis(
        workitem_id="w",
        created=datetime(2026, 3, 4),
        module=MODULE,
        study=arrival.study(),
        inputs=decision.selection.chosen,
        findings=Findings((Refusal("r", "it is a test"),)),
    )
    (_, written), *_ = write_objects(analysis, kinds=("sr",))
    assert_is_of_the_analysed(written, crop, others)
    patients = [image.patient for image in crop]
    differ = any(disagreement([*patients, o.patient]) for o in others)
    assert differ == ("name another patient" in written.to_json())


def assert_is_of_the_analysed(
    written: Dataset, crop: list[Instance], others: list[Instance]
) -> None:
    """Every patient attribute comes from an analysed image, or one that says the same ID."""
    assert not any(Patient.of(written).differences(image.patient) for image in crop)
    ids = {image.patient.id for image in crop} - {""}
    for keyword in KEYWORDS.values():
        value = str(written.get(keyword) or "")
        mine = {str(image.header.get(keyword)) for image in crop} - {""}
        same = {
            str(other.header.get(keyword))
            for other in others
            if other.patient.id in ids
            and not disagreement([*(image.patient for image in crop), other.patient])
        }
        assert value in (mine or same | {""})
    if not any(image.header.get("PatientID") for image in crop):
        assert not written.PatientID


def test_what_the_analysed_images_leave_empty_comes_from_the_same_patient(tmp_path: Path) -> None:
    bare, scout, full = mr_slices("bare"), mr_slices("scout"), mr_slices("full")
    for ds in bare:
        del ds.PatientBirthDate, ds.PatientSex
        ds.StudyTime = "010101"
    for ds in scout:
        ds.PatientID, ds.PatientName = "somebody else", "Else^Somebody"
    study = Study.of(instances([*bare, *scout, *full], tmp_path))
    analysed = [
        i for i in study.instances if i.header.SeriesInstanceUID == bare[0].SeriesInstanceUID
    ]
    stated = attributes(analysed, study.instances)
    assert (stated.PatientSex, stated.PatientBirthDate) == ("O", "19700101")
    assert stated.StudyTime == "010101"
    assert stated.PatientName == "Marker^Patient"
    alone = attributes(analysed, [i for i in study.instances if i.patient.id == "somebody else"])
    assert (alone.PatientSex, alone.PatientBirthDate) == (None, None)


def test_nothing_is_filled_in_from_patients_who_contradict_each_other(tmp_path: Path) -> None:
    bare, of_a, of_b = mr_slices("bare", count=1), mr_slices("a", count=1), mr_slices("b", count=1)
    bare[0].PatientSex = ""
    of_a[0].IssuerOfPatientID, of_b[0].IssuerOfPatientID = "A", "B"
    images = instances([*bare, *of_a, *of_b], tmp_path)
    mine = next(i for i in images if i.series_uid == bare[0].SeriesInstanceUID)
    stated = attributes([mine], images)
    assert stated.PatientSex is None
    assert "IssuerOfPatientID" not in stated
    assert attributes([mine], images[:2]).IssuerOfPatientID == "A"


def test_a_label_changes_with_every_attribute(folder: Path) -> None:
    base = Stated("Roe^Jane", "19600102", "1", "A", "F", "X1")
    images = [labelled(image, base) for image in templates(folder)["crop"]]
    labels = {label_of(images)}
    for name, value in (("name", "Doe^John"), ("sex", "M"), ("accession", "Y2"), ("issuer", "B")):
        changed = [labelled(image, replace(base, **{name: value})) for image in images[:1]]
        labels.add(label_of([*changed, *images[1:]]))
    assert len(labels) == 5
    assert label_of(images[::-1]) == label_of(images)


def test_a_person_names_the_patient(folder: Path) -> None:
    from hilum.dicom.identity import Identity

    jane = Stated("Roe^Jane", "19600102", "1", "A", "F", "X1")
    john = replace(jane, name="Doe^John", patient_id="2")
    stated = [jane, jane, john, replace(jane, issuer="")]
    images = [labelled(i, s) for i, s in zip(templates(folder)["crop"], stated, strict=True)]
    key = Identity.of(images[0].header).key
    assert of_patient(key, images) == [images[0], images[1], images[3]]
    assert of_patient("no such key", images) == images


@pytest.mark.parametrize("patient_id", ["1", "2"])
def test_all_inputs_of_a_module_must_be_of_one_patient(folder: Path, patient_id: str) -> None:
    jane = Stated("Roe^Jane", "19600102", "1", "A", "F", "X1")
    other = replace(jane, patient_id=patient_id)
    inputs = {"t1": (templates(folder)["crop"], jane), "flair": (templates(folder)["other"], other)}
    arrival = Arrival(templates(folder)["crop"][0].study_uid)
    for number, (images, stated) in enumerate(inputs.values()):
        for image in images:
            arrival.add(labelled(image, stated), float(number))
    series = {
        name: {"SeriesInstanceUID": images[0].series_uid} for name, (images, _) in inputs.items()
    }
    decision = decide(arrival, {"t1": CROP, "flair": CROP}, Rule(module="m", inputs=series), 1000.0)
    assert isinstance(decision, Run if patient_id == "1" else Hold)
    if isinstance(decision, Hold):
        assert decision.reason.startswith(f"{DIFFERENT} (PatientID): ")
