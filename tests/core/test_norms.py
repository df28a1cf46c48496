"""A site's own norms: read with clear errors, used only where they belong."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from highdicom import Volume
from pydicom.dataset import Dataset

from hilum import Measurement, Segment, codes
from hilum.checking import check_norms
from hilum.comparison.norms import Norms, compare_with_norms
from hilum.config import parse
from hilum.config.site import Site
from hilum.errors import ConfigurationError
from hilum.findings import Findings
from hilum.module import ModuleFacts

HEAD = "what,sex,age_from,age_to,mean_ml,sd_ml\n"
ROWS = HEAD + "Left hippocampus,F,60,69,3.2,0.3\nLeft hippocampus,F,70,79,3,0.3\n"
MODULE = ModuleFacts("hippocampal-volume", "1", "Hippocampal volume", "ab" * 32)
WOMAN = {"PatientSex": "F", "PatientBirthDate": "19600615", "StudyDate": "20250614"}  # 64


def site(folder: Path, text: str, **settings: str) -> Site:
    file = folder / "norms.csv"
    file.write_text(text, encoding="utf-8")
    table = {
        "module": MODULE.name,
        "weights_sha256": MODULE.weights_sha256,
        "file": str(file),
        "citation": "Nobody et al., 2025.",
    }
    return parse({"norms": [table | settings]})


def findings(label: str = "Left hippocampus") -> Findings:
    mask = np.zeros((20, 20, 20), bool)
    mask.reshape(-1)[:3050] = True
    volume = Volume(mask, affine=np.eye(4), coordinate_system="PATIENT")
    segment = Segment(volume, codes.HIPPOCAMPUS, label)
    measured = Measurement(
        codes.VOLUME, segment.volume_ml, codes.MILLILITRE, of=segment, followed=True
    )
    part = Measurement(codes.VOLUME, 1.0, codes.MILLILITRE, of=segment)
    asymmetry = Measurement(codes.ASYMMETRY, 3.0, codes.PERCENT, followed=True)
    return Findings((segment, part, measured, asymmetry))


def notes(folder: Path, patient: dict[str, Any], text: str = ROWS, **settings: str) -> list[str]:
    attributes = Dataset()
    for keyword, value in patient.items():
        setattr(attributes, keyword, value)
    compared = Norms(site(folder, text, **settings).norms)
    return [note.text for note in compared.notes(MODULE, attributes, findings())]


def test_a_volume_stands_beside_what_is_expected(tmp_path: Path) -> None:
    assert notes(tmp_path, WOMAN) == [
        "Left hippocampus: 3.05 mL; expected 2.61 to 3.79 mL (95 % range, women of 60-69 years)."
        " Source: Nobody et al., 2025."
    ]


@pytest.mark.parametrize(
    ("patient", "group"),
    [
        ({"PatientSex": "F", "PatientAge": "069Y"}, "60-69"),
        ({"PatientSex": "F", "PatientAge": "070Y"}, "70-79"),
        ({**WOMAN, "PatientAge": "065Y"}, "60-69"),
        ({**WOMAN, "StudyDate": "20300615"}, "70-79"),
    ],
)
def test_the_age_is_that_at_the_time_of_the_study(
    tmp_path: Path, patient: dict[str, str], group: str
) -> None:
    [text] = notes(tmp_path, patient)
    assert f"women of {group} years" in text


@pytest.mark.parametrize(
    ("patient", "lacks"),
    [
        ({"PatientSex": "F"}, "age"),
        ({**WOMAN, "PatientAge": "030Y"}, "age"),
        ({**WOMAN, "PatientSex": "O"}, "sex"),
        ({"PatientAge": "065Y"}, "sex"),
    ],
)
def test_who_is_not_known_is_not_compared(
    tmp_path: Path, patient: dict[str, str], lacks: str
) -> None:
    [text] = notes(tmp_path, patient)
    assert text == f"Not compared with norms: the patient's {lacks} is not known for certain."


def test_a_group_without_a_norm_is_named(tmp_path: Path) -> None:
    [text] = notes(tmp_path, {**WOMAN, "PatientSex": "M"})
    assert text.startswith("Left hippocampus: no norm for men of 64 years.")


def test_what_a_table_does_not_know_is_no_business_of_its(tmp_path: Path) -> None:
    other = ROWS.replace("Left", "Right")
    assert notes(tmp_path, WOMAN, other) == []
    [text] = Norms(site(tmp_path, other).norms).remarks(MODULE, findings())
    assert text.endswith("no row of the norms for Left hippocampus, but for Right hippocampus")
    assert not list(Norms(site(tmp_path, ROWS).norms).remarks(MODULE, findings()))


def test_a_table_in_cubic_millimetres_is_not_taken_for_millilitres(tmp_path: Path) -> None:
    [text] = notes(tmp_path, WOMAN, HEAD + "Left hippocampus,F,60,69,3200,300\n")
    assert text.startswith(
        "Left hippocampus: 3.05 mL; not compared with norms, whose mean of 3200 mL"
    )


def test_norms_of_other_weights_are_not_used_and_said_to_be_of_no_use(tmp_path: Path) -> None:
    other = {"weights_sha256": "cd" * 32}
    assert notes(tmp_path, WOMAN, **other) == []
    [sentence] = Norms(site(tmp_path, ROWS, **other).norms).remarks(MODULE)
    assert "made with other weights of hippocampal-volume (cdcdcdcdcdcd" in sentence
    assert list(Norms(site(tmp_path, ROWS).norms).remarks(MODULE)) == []


def test_the_start_warns_of_other_weights_and_refuses_unknown_modules(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    check_norms(site(tmp_path, ROWS))  # the weights that are installed are others
    assert "made with other weights" in caplog.text
    with pytest.raises(ConfigurationError, match="did you mean 'hippocampal-volume'"):
        check_norms(site(tmp_path, ROWS, module="hippocampal-volumes"))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no column what, sex"),
        (ROWS.replace("_ml", ""), "unknown column 'mean', did you mean 'mean_ml'"),
        ("what,sex,age_from,age_to,mean_ml\n", "no column sd_ml"),
        (HEAD + "X,F,60,69,3.2\n", "line 2: sd_ml is '', not a number"),
        (HEAD + "X,F,60,69,3.2,0.3\nX,W,70,79,3,0.3\n", "line 3: sex is 'W', not F or M"),
        (HEAD + "X,F,69,60,3.2,0.3\n", "ages 69 to 60 are no range"),
        (HEAD + "X,F,6O,69,3.2,0.3\n", "age_from is '6O', not a whole number"),
        (HEAD + 'X,F,60,69,"3,2",0.3\n', "mean_ml is '3,2', not a number"),
        (HEAD + "X,F,60,69,3,20,0,30\n", "line 2: more cells than columns"),
        (HEAD, "no row"),
        (HEAD + "X,F,60,69,nan,0.3\n", "volumes above 0"),
        (HEAD + ",F,60,69,3,0.3\n", "what is empty"),
        (
            HEAD + "X,F,60,70,3,1\nX,F,70,80,3,1\n",
            "line 3: X for women of 70-80 years, and before",
        ),
    ],
)
def test_a_file_that_cannot_be_used_says_where_and_why(
    tmp_path: Path, text: str, problem: str
) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        Norms(site(tmp_path, text).norms)


def test_a_file_that_breaks_while_hilum_runs_costs_no_result(tmp_path: Path) -> None:
    settings = site(tmp_path, HEAD + "X,F,60,69,,\n").norms
    assert compare_with_norms(settings, MODULE, Dataset(), findings())[0] == ()
    [problem] = compare_with_norms(settings, MODULE, Dataset(), findings())[1]
    assert "line 2: mean_ml is ''" in problem


def test_the_dates_say_the_age_better_than_the_device(tmp_path: Path) -> None:
    born = {**WOMAN, "PatientBirthDate": "19550614"}
    [text] = notes(tmp_path, {**born, "PatientAge": "069Y"})
    assert "women of 70-79 years" in text


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    missing = site(tmp_path, ROWS, file=str(tmp_path / "none.csv"))
    with pytest.raises(ConfigurationError, match=r"none\.csv: No such file"):
        Norms(missing.norms)
