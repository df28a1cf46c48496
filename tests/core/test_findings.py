"""A finding that cannot be written is refused where it is made, in plain words."""

import math
from dataclasses import replace

import numpy as np
import pytest
from highdicom import Volume
from hypothesis import given
from hypothesis import strategies as st
from pydicom.sr.coding import Code

from hilum.dicom import codes
from hilum.errors import FindingError
from hilum.findings import (
    Classification,
    HeatMap,
    Label,
    LabelMap,
    Measurement,
    Note,
    Refusal,
    Score,
    Segment,
)

MASK = Volume(np.ones((2, 3, 4), bool), np.eye(4), coordinate_system="PATIENT")
SEGMENT = Segment(MASK, codes.HIPPOCAMPUS, "Hippocampus")
VOLUME = Measurement(codes.VOLUME, 1.0, codes.MILLILITRE, of=SEGMENT)
SCORE = Score(codes.NORMAL, "Normal", 0.7)
CLASSES = Classification((SCORE,), SCORE, "A score is no probability.")
HEAT = HeatMap(np.zeros((2, 2), np.float32), "Evidence", "1.2.3")
REFUSAL = Refusal("too-thick", "The slices are too thick.")
NOTE = Note("Look twice.")
LABEL = Label(1, codes.HIPPOCAMPUS, "Hippocampus")
LABEL_MAP = LabelMap(MASK.with_array(MASK.array.astype(int)), (LABEL,))
NAN, INF = math.nan, math.inf
LONG = "x" * 65
LONG_MEANING = Code("1", "99X", LONG)


@pytest.mark.parametrize(
    ("finding", "changes", "words"),
    [
        (SEGMENT, {"label": ""}, "the label of a segment is empty"),
        (SEGMENT, {"label": LONG}, "the label of a segment has 65 characters; 64 are allowed"),
        (SEGMENT, {"label": "a\nb"}, "holds a line break"),
        (SEGMENT, {"label": "a\\b"}, "or a backslash"),
        (SEGMENT, {"label": None}, "the label of a segment is None, not a text"),
        (SEGMENT, {"label": "x" * 60, "side": codes.LEFT}, "with its side, has 66 characters"),
        (SEGMENT, {"mask": MASK.array}, "'Hippocampus' is of the type ndarray, not a Volume"),
        (SEGMENT, {"mask": MASK.with_array(MASK.array.astype(np.uint8))}, "is uint8 (2, 3, 4)"),
        (SEGMENT, {"code": ("1", "SCT", "x")}, "is of the type tuple, not a pydicom Code"),
        (SEGMENT, {"code": LONG_MEANING}, "the meaning of the code of the segment 'Hippocampus'"),
        (SEGMENT, {"modifier": Code("1", "SCT", "")}, "the meaning of the modifier"),
        (SEGMENT, {"modifier": Code("x" * 17, "SCT", "x")}, "has 17 characters; 16 are allowed"),
        (SEGMENT, {"category": Code("1", "SCHÉMA", "x")}, "the scheme of the category"),
        (SEGMENT, {"side": codes.ANTERIOR}, "not codes.LEFT or codes.RIGHT"),
        (SEGMENT, {"side": "left"}, "is of the type str, not a pydicom Code"),
        (SEGMENT, {"label": "Left one", "side": codes.RIGHT}, "is right, but its label says left"),
        (SEGMENT, {"colour": (255, 200)}, "is not three numbers"),
        (SEGMENT, {"colour": (256, 0, 0)}, "is not three whole numbers from 0 to 255"),
        (SEGMENT, {"colour": (0.5, 0.5, 0.5)}, "is not three whole numbers from 0 to 255"),
        (SEGMENT, {"colour": "red"}, "is not three whole numbers from 0 to 255"),
        (SEGMENT, {"colour": None}, "is not three numbers"),
        (
            LABEL,
            {"value": 0},
            "the value of the structure 'Hippocampus' is 0; it must be between 1",
        ),
        (LABEL, {"value": 65536}, "is 65536; it must be between 1 and 65535"),
        (LABEL, {"value": 1.0}, "is of the type float, not a whole number"),
        (LABEL, {"value": True}, "is of the type bool, not a whole number"),
        (LABEL, {"label": ""}, "the label of a structure is empty"),
        (LABEL, {"side": codes.ANTERIOR}, "not codes.LEFT or codes.RIGHT"),
        (LABEL, {"colour": (1, 2)}, "is not three numbers"),
        (LABEL_MAP, {"labels": MASK.array}, "the label map is of the type ndarray, not a Volume"),
        (LABEL_MAP, {"labels": MASK}, "is bool (2, 3, 4), not an integer"),
        (LABEL_MAP, {"labels": MASK.with_array(-MASK.array.astype(int))}, "holds the value -1;"),
        (LABEL_MAP, {"labels": MASK.with_array(MASK.array * 65536)}, "holds the value 65536;"),
        (LABEL_MAP, {"labels": MASK.with_array(MASK.array * 7)}, "does not name (7): add a Label"),
        (LABEL_MAP, {"table": ()}, "the table of the label map is empty"),
        (LABEL_MAP, {"table": (LABEL, "x")}, "is not a tuple of Label"),
        (LABEL_MAP, {"table": (LABEL, LABEL)}, "names the value 1 twice"),
        (
            LABEL_MAP,
            {"table": (Label(1, codes.BRAIN, "x" * 60, side=codes.LEFT),)},
            "with its side, has 66 characters",
        ),
        (VOLUME, {"value": NAN}, "the value of the measurement 'Volume' is nan"),
        (VOLUME, {"value": -INF}, "is -inf, not a finite number"),
        (VOLUME, {"value": np.float32(INF)}, "is inf, not a finite number"),
        (VOLUME, {"value": None}, "is None, not a number"),
        (VOLUME, {"value": "3"}, "is of the type str, not a number"),
        (VOLUME, {"value": True}, "is of the type bool, not a number"),
        (VOLUME, {"value": np.ones(2)}, "is of the type ndarray, not a number"),
        (VOLUME, {"uncertainty": -0.1}, "is -0.1; it must be 0 or more"),
        (VOLUME, {"uncertainty": NAN}, "the uncertainty of the measurement 'Volume' is nan"),
        (VOLUME, {"unit": LONG_MEANING}, "the meaning of the unit"),
        (VOLUME, {"unit": "ml"}, "is of the type str, not a pydicom Code"),
        (VOLUME, {"code": LONG_MEANING}, "the meaning of the code of a measurement"),
        (VOLUME, {"of": "Hippocampus"}, "is no Segment"),
        (VOLUME, {"image": "../1"}, "the image of the measurement 'Volume' is no SOP Instance UID"),
        (VOLUME, {"followed": 1}, "is of the type int, not True or False"),
        (SCORE, {"value": NAN}, "the value of the score 'Normal' is nan"),
        (SCORE, {"value": 1.01}, "is 1.01; it must be between 0 and 1"),
        (SCORE, {"label": LONG}, "the label of a score has 65 characters"),
        (SCORE, {"code": None}, "the code of the score 'Normal' is None"),
        (CLASSES, {"scores": ()}, "one or more Score"),
        (CLASSES, {"scores": (0.7,)}, "one or more Score"),
        (CLASSES, {"outcome": Score(codes.LUNG, "Lung", 0.1)}, "is none of its scores"),
        (CLASSES, {"basis": " "}, "the basis of a classification is empty"),
        (CLASSES, {"threshold": 2}, "is 2; it must be between 0 and 1"),
        (HEAT, {"values": np.zeros((2, 2))}, "are not a float32 array (rows, columns)"),
        (HEAT, {"values": np.full((2, 2), NAN, np.float32)}, "do not all lie between 0 and 1"),
        (HEAT, {"values": np.full((2, 2), 2, np.float32)}, "do not all lie between 0 and 1"),
        (HEAT, {"region": np.zeros((3, 2), bool)}, "on the grid of its values"),
        (HEAT, {"region": np.zeros((2, 2))}, "on the grid of its values"),
        (HEAT, {"image": None}, "is about no image"),
        (HEAT, {"label": ""}, "the label of a heat map is empty"),
        (REFUSAL, {"text": ""}, "the text of a refusal is empty"),
        (REFUSAL, {"code": LONG}, "the code of a refusal has 65 characters"),
        (REFUSAL, {"image": 3}, "the image of a refusal is no SOP Instance UID"),
        (NOTE, {"text": None}, "the text of a note is None"),
        (NOTE, {"text": "half of a \ud83d"}, "half of a character"),
        (NOTE, {"text": "zero\0"}, "the text of a note holds a control character"),
        (NOTE, {"caution": "no"}, "whether a note is a caution is of the type str"),
    ],
)
def test_what_cannot_be_written_is_refused(finding, changes, words):
    with pytest.raises(FindingError) as raised:
        replace(finding, **changes)
    assert isinstance(raised.value, ValueError)
    assert words in str(raised.value)
    given = [value for value in changes.values() if isinstance(value, str) and len(value) > 60]
    assert not any(value in str(raised.value) for value in given)  # it may hold patient data


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, np.int16, np.uint8, np.array])
def test_numbers_of_numpy_become_pythons(kind):
    measurement = Measurement(codes.VOLUME, kind(1), codes.MILLILITRE, uncertainty=kind(0))
    assert (type(measurement.value), measurement.value) == (float, 1.0)
    assert type(measurement.uncertainty) is float
    score = Score(codes.NORMAL, np.str_("Normal"), kind(1))
    assert (type(score.value), type(score.label)) == (float, str)


def test_the_rest_of_numpy_becomes_pythons():
    colour = Segment(MASK, codes.LUNG, "Lung", colour=np.array([1, 2, 3], np.uint8)).colour
    assert colour == (1, 2, 3)
    assert {type(part) for part in colour} == {int}
    assert Note("x", caution=np.bool_(True)).caution is True
    assert Classification([SCORE], None, "x").scores == (SCORE,)


def test_a_side_is_known_by_its_code():
    """Its meaning may be written in another way; what is printed is not."""
    segment = replace(SEGMENT, side=Code("7771000", "SCT", "links"))
    assert segment.side is codes.LEFT
    assert segment.name == "Hippocampus, left"
    assert replace(SEGMENT, label="Left and right", side=codes.RIGHT).name == "Left and right"


@given(st.floats())
def test_a_measurement_is_finite_or_none(value):
    try:
        measurement = Measurement(codes.VOLUME, value, codes.MILLILITRE)
    except FindingError:
        assert not math.isfinite(value)
    else:
        assert math.isfinite(measurement.value)


@given(st.text(max_size=80))
def test_a_label_fits_its_attribute_or_is_refused(label):
    try:
        segment = Segment(MASK, codes.LUNG, label, side=codes.LEFT)
    except FindingError:
        return
    assert 0 < len(segment.name) <= 64
    assert "\\" not in segment.name
    assert segment.name.isprintable() or all(c >= " " for c in segment.name)


def test_an_empty_segment_is_a_finding():
    empty = replace(SEGMENT, mask=MASK.with_array(np.zeros((2, 3, 4), bool)))
    assert empty.volume_ml == 0
