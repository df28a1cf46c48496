"""Which series is chosen, and that every candidate is told why."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from factory import instances, mr_slices
from hilum.config import parse
from hilum.config.site import Rule
from hilum.dicom.series import Series
from hilum.dicom.study import Study
from hilum.errors import ConfigurationError
from hilum.module import Films, Input
from hilum.study.recipients import recipients
from hilum.study.routing import applies, select
from hilum.summary.numbers import ClassificationSummary, MeasurementSummary
from hilum.summary.remarks import UrgencySummary
from hilum.summary.shapes import LengthSummary
from tests.effort import lines_run

CROP = Input("MR", slice_spacing=(0.8, 1.2), pixel_spacing=(0.8, 1.2), extent=(20, 80))
RULE = Rule(module="m", series={"SeriesDescription": "(?i)^hippocrop$"})


@dataclass(frozen=True)
class Plain(Input):
    """One that has reservations to images after a contrast agent."""

    def reservations(self, series: Series) -> Iterator[str]:
        if agent := series.header.get("ContrastBolusAgent"):
            yield f"{agent} was given"


def after_contrast(name: str, **values: int) -> list:
    slices = mr_slices(name, description=name, **values)
    for ds in slices:
        ds.ContrastBolusAgent = "Gd"
    return slices


def study_of(tmp_path: Path, *series: list) -> Study:
    return Study.of(i for n, s in enumerate(series) for i in instances(s, tmp_path / str(n)))


def test_every_candidate_gets_a_reason(tmp_path: Path) -> None:
    study = study_of(
        tmp_path,
        mr_slices(),
        mr_slices("thick", count=5, spacing=5.0),
        mr_slices("ct", modality="CT"),
        mr_slices("other", description="T1 MPRAGE"),
    )
    selection = select(study, {"series": CROP}, RULE)
    assert selection.complete
    assert selection.chosen["series"][0].description == "HippoCrop"
    reasons = " | ".join(selection.reasons)
    assert "slice spacing 5 mm, module needs 0.8 to 1.2 mm" in reasons
    assert "modality is CT, module needs MR" in reasons
    assert "SeriesDescription is 'T1 MPRAGE'" in reasons
    assert selection.reasons[0].startswith("chosen HippoCrop (32 images)")


def test_of_two_fitting_series_the_larger_wins_and_the_other_is_told(tmp_path: Path) -> None:
    study = study_of(tmp_path, mr_slices("small", count=28), mr_slices("large", count=40))
    selection = select(study, {"series": CROP}, RULE)
    assert len(selection.chosen["series"][0].instances) == 40
    assert any("fits first" in reason for reason in selection.reasons)


def test_a_series_without_reservations_goes_first_however_small(tmp_path: Path) -> None:
    study = study_of(
        tmp_path,
        after_contrast("T1 KM", count=60),
        mr_slices("plain", description="T1", count=30),
    )
    selection = select(study, {"series": Plain("MR")}, Rule(module="m"))
    assert selection.chosen["series"][0].description == "T1"
    assert not selection.reserved
    assert (
        selection.reasons[1] == "rejected T1 KM (60 images): Gd was given; fits, but T1 fits first"
    )


def test_a_series_with_reservations_is_taken_where_no_other_is_better(tmp_path: Path) -> None:
    study = study_of(
        tmp_path,
        after_contrast("large", count=60),
        after_contrast("small", count=30),
        mr_slices("ct", modality="CT"),
    )
    selection = select(study, {"series": Plain("MR")}, Rule(module="m"))
    assert selection.complete
    assert selection.reserved
    assert selection.chosen["series"][0].description == "large"
    chosen, *others = selection.reasons
    assert chosen.endswith("no other is better, although Gd was given")
    assert "Gd was given" in " ".join(others)


def test_a_series_that_is_the_only_one_is_compared_with_none(tmp_path: Path) -> None:
    study = study_of(tmp_path, after_contrast("only", count=60), mr_slices("ct", modality="CT"))
    chosen, _ = select(study, {"series": Plain("MR")}, Rule(module="m")).reasons
    assert chosen.endswith("; although Gd was given")


def test_a_rule_cannot_widen_what_the_network_was_made_for(tmp_path: Path) -> None:
    study = study_of(tmp_path, mr_slices("head", count=30, spacing=6.5))
    assert not select(study, {"series": CROP}, Rule(module="m")).complete


def test_geometry_comes_from_positions_not_from_numbers(tmp_path: Path) -> None:
    slices = mr_slices(count=25)
    for ds in slices:
        ds.InstanceNumber = 1000 - ds.InstanceNumber
    slices[3].InstanceNumber = None
    study = study_of(tmp_path, slices[::-1])
    ordered = select(study, {"series": CROP}, RULE).chosen["series"][0].frames
    assert [i.position[2] for i in ordered] == sorted(i.position[2] for i in ordered)


def test_two_inputs_by_name(tmp_path: Path) -> None:
    study = study_of(
        tmp_path, mr_slices("a", description="T1"), mr_slices("b", description="FLAIR")
    )
    rule = Rule(
        module="m",
        inputs={"t1": {"SeriesDescription": "T1"}, "flair": {"SeriesDescription": "FLAIR"}},
    )
    selection = select(study, {"t1": CROP, "flair": CROP}, rule)
    assert {name: s.description for name, (s,) in selection.chosen.items()} == {
        "t1": "T1",
        "flair": "FLAIR",
    }


def test_films_are_given_all_together_whatever_series_they_lie_in(tmp_path: Path) -> None:
    study = study_of(
        tmp_path,
        mr_slices("front", count=1, modality="DX"),
        mr_slices("side", count=1, modality="CR"),
        mr_slices("ct", modality="CT"),
    )
    selection = select(study, {"series": Films()}, Rule(module="m"))
    assert {series.modality for series in selection.chosen["series"]} == {"DX", "CR"}
    assert sum(verdict.accepted for verdict in selection.verdicts) == 2
    assert any("modality is CT, module needs CR or DX" in reason for reason in selection.reasons)
    films = Films().read([i for s in selection.chosen["series"] for i in s.instances])
    assert [film.values().shape for film in films] == [(48, 36), (48, 36)]


def test_routes_take_results_further() -> None:
    site = parse(
        {
            "destination": [{"name": n, "kind": "dimse"} for n in ("home", "pacs", "registry")],
            "rule": [{"module": "chest", "send_to": ["home"]}, {"module": "brain"}],
            "route": [
                {"modules": ["chest"], "images": True, "send_to": ["pacs", "home"]},
                {"outcome": "refusal", "send_to": ["registry", "pacs"]},
            ],
        }
    )
    chest, brain = site.rule
    assert recipients(site, chest, refused=False) == {"home": True, "pacs": True}
    assert recipients(site, chest, refused=True) == {"home": True, "pacs": True, "registry": False}
    assert recipients(site, brain, refused=False) == {}
    assert recipients(site, brain, refused=True) == {"registry": False, "pacs": False}


def test_conditions_on_the_study(tmp_path: Path) -> None:
    study = study_of(tmp_path, mr_slices())
    assert applies(Rule(module="m", study={"AccessionNumber": "^A"}), study)
    assert not applies(Rule(module="m", study={"AccessionNumber": "^B"}), study)


def test_one_series_meets_all_conditions_on_a_study(tmp_path: Path) -> None:
    other = mr_slices("other")
    for ds in other:
        ds.PatientID, ds.AccessionNumber, ds.StudyDescription = "another", "B1", "Head"
    study = study_of(tmp_path, mr_slices(), other)
    for met in ({"AccessionNumber": "^A"}, {"StudyDescription": "Head", "AccessionNumber": "^B"}):
        assert applies(Rule(module="m", study=met), study)
    mixed = {"StudyDescription": "Head", "AccessionNumber": "^A"}
    assert not applies(Rule(module="m", study=mixed), study)


def test_conditions_on_a_study_see_what_another_series_of_the_patient_says(tmp_path: Path) -> None:
    bare, full = mr_slices("bare"), mr_slices("full")
    for ds in bare:
        ds.PatientSex, ds.StudyDescription = "", "Head"
    study = study_of(tmp_path, bare, full)
    assert applies(Rule(module="m", study={"StudyDescription": "Head", "PatientSex": "O"}), study)


def test_patient_data_never_become_a_reason(tmp_path: Path) -> None:
    study = study_of(tmp_path, mr_slices(patient="MARKER^NAME"))
    selection = select(study, {"series": CROP}, Rule(module="m", series={"PatientName": "^Else"}))
    assert "MARKER" not in " ".join(selection.reasons)


def test_conditions_on_many_series_cost_little_work(tmp_path: Path) -> None:
    (series,) = study_of(tmp_path, mr_slices(count=1)).series
    (image,) = series.instances

    def work(count: int, patients: int) -> int:
        of_each = []
        for n in range(count):
            header = deepcopy(image.header)
            header.PatientID = f"P{n % patients}"
            mine = replace(image, header=header)
            assert mine.label  # it is made once
            of_each.append(replace(series, instances=(mine,)))
        rule = Rule(module="m", study={"StudyDescription": "^nothing$"})
        return lines_run(lambda: applies(rule, Study("1.2", tuple(of_each))))

    of_one, of_many = work(100, patients=1), work(100, patients=100)
    assert of_one < of_many / 10, "series with the same data are asked once"
    assert work(200, patients=200) < 2.2 * of_many


@pytest.mark.parametrize(
    ("when", "is_met"),
    [
        ({"urgent": True}, True),
        ({"outcome": "Pneumonia"}, True),
        ({"outcome": "Normal"}, False),
        ({"measurement": "Volume", "above": 30}, True),
        ({"measurement": "Volume", "above": 30, "of": "Lung"}, True),
        ({"measurement": "Volume", "above": 30, "of": "Liver"}, False),
        ({"measurement": "Volume", "above": 30, "below": 31}, False),
        ({"measurement": "Width", "below": 13}, True),
    ],
)
def test_a_route_takes_results_with_a_finding(when: dict, is_met: bool) -> None:
    folder = {"name": "desk", "kind": "folder", "folder": "x"}
    route = {"send_to": ["desk"], "when": when}
    site = parse({"destination": [folder], "rule": [{"module": "m"}], "route": [route]})
    findings = (
        UrgencySummary("x"),
        ClassificationSummary("Pneumonia", "Pneumonia (0.9)"),
        MeasurementSummary("Volume", 40.0, "ml", of="Lung"),
        LengthSummary("Width", 12.0, ()),
    )
    rule = site.rule[0]
    assert recipients(site, rule, refused=False, findings=findings) == (
        {"desk": False} if is_met else {}
    )
    assert recipients(site, rule, refused=False) == {}


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ({}, "give one of"),
        ({"urgent": True, "outcome": "x"}, "give one of"),
        ({"measurement": "Volume"}, "above or below"),
        ({"urgent": True, "above": 1}, "above or below"),
        ({"outcome": "x", "of": "y"}, "of goes with"),
    ],
)
def test_a_condition_of_a_route_asks_for_one_thing(when: dict, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        parse({"route": [{"send_to": [], "when": when}]})


def test_one_series_never_fills_two_inputs_and_the_verdicts_say_which(tmp_path: Path) -> None:
    study = study_of(tmp_path, mr_slices("a", description="T1"))
    selection = select(study, {"t1": CROP, "flair": CROP}, Rule(module="m"))
    assert not selection.complete
    assert list(selection.chosen) == ["t1"]
    assert selection.objection == "flair: T1: fits, but is used as t1"
    assert selection.reasons[0].startswith("t1: chosen T1 (32 images)")
    nothing = select(study, {"t1": CROP, "ct": Input("CT")}, Rule(module="m"))
    assert nothing.objection == "ct: no matching series"


def test_an_input_leaves_its_best_to_one_that_would_have_nothing(tmp_path: Path) -> None:
    study = study_of(tmp_path, mr_slices("a", description="T1", count=40), mr_slices("b", count=30))
    needs = {"any": CROP, "t1": Input("MR", header={"SeriesDescription": "T1"})}
    selection = select(study, needs, Rule(module="m"))
    assert {name: s.description for name, (s,) in selection.chosen.items()} == {
        "any": "HippoCrop",
        "t1": "T1",
    }
    assert any(
        "any: rejected T1 (40 images): fits, but is used as t1" in r for r in selection.reasons
    )


def test_an_optional_input_may_be_missing_and_is_waited_for(tmp_path: Path) -> None:
    study = study_of(tmp_path, mr_slices("a", description="T1"))
    needs = {"t1": CROP, "flair": Input("MR", optional=True)}
    selection = select(study, needs, Rule(module="m"))
    assert selection.complete and selection.reserved
    assert list(selection.chosen) == ["t1"]


@pytest.mark.parametrize(
    ("need", "change", "reason"),
    [
        (
            Input("MR", header={"BodyPartExamined": "HEAD|BRAIN"}),
            {"BodyPartExamined": "KNEE"},
            "BodyPartExamined is 'KNEE', module asks for 'HEAD|BRAIN'",
        ),
        (
            Input("MR", header={"PatientName": "Nobody"}),
            {},
            "PatientName does not match, module asks for 'Nobody'",
        ),
        (
            Input("MR", contrast=False),
            {"ContrastBolusAgent": "Gd"},
            "the header names a contrast agent, module needs images without one",
        ),
        (
            Input("MR", contrast=True),
            {"ContrastBolusAgent": "NONE"},
            "the header names no contrast agent, module needs images with one",
        ),
        (
            Input("MR", orientation="axial"),
            {"ImageOrientationPatient": [0, 1, 0, 0, 0, -1]},
            "orientation is sagittal, module needs axial",
        ),
        (
            Input("MR", objection=lambda series: f"it has {len(series.frames)} images"),
            {},
            "it has 4 images",
        ),
    ],
)
def test_conditions_of_the_module(tmp_path: Path, need: Input, change: dict, reason: str) -> None:
    slices = mr_slices("a", count=4)
    fitting = study_of(tmp_path / "fits", slices).series[0]
    for ds in slices:
        ds.update(change)
        if "ImageOrientationPatient" in change:
            ds.ImagePositionPatient = [ds.InstanceNumber, 0, 0]
    series = study_of(tmp_path / "changed", slices).series[0]
    assert list(need.objections(series)) == [reason]
    if change and need.contrast is not True:
        ok = replace(need, header={}) if need.header else need
        assert list(ok.objections(fitting)) == []


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ({"header": {"Kernel": "x"}}, "no DICOM keyword"),
        ({"header": {"Modality": "(?=x)"}}, "not allowed"),
        ({"orientation": "tilted"}, "not a valid Orientation"),
    ],
)
def test_a_condition_that_is_none_is_refused_when_the_module_loads(
    condition: dict, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        Input("MR", **condition)
