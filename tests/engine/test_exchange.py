"""Findings survive the way to disk and back."""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from highdicom import Volume

from hilum import (
    Classification,
    HeatMap,
    Label,
    LabelMap,
    Measurement,
    Note,
    Refusal,
    Score,
    Segment,
    codes,
)
from hilum.engine import exchange
from hilum.errors import ModuleError
from hilum.findings import Change, Earlier, Findings


def test_everything_comes_back(tmp_path: Path) -> None:
    mask = Volume(
        np.arange(24).reshape(2, 3, 4) > 11,
        affine=np.diag([1.0, 2.0, 3.0, 1.0]),
        coordinate_system="PATIENT",
        frame_of_reference_uid="1.2.3",
    )
    segment = Segment(
        mask, codes.HIPPOCAMPUS, "Anterior", modifier=codes.ANTERIOR, colour=(1, 2, 3)
    )
    score = Score(codes.PNEUMONIA, "Pneumonia", 0.75)
    volume = Measurement(codes.VOLUME, 1.25, codes.MILLILITRE, of=segment, uncertainty=0.05)
    before = Earlier(date(2024, 2, 29), 1.3, 0.05, "1.2", "1.3", "1.4")
    findings = Findings(
        (
            segment,
            volume,
            Change(volume, date(2026, 2, 28), (before,)),
            Classification((score,), score, "why", "1.2.3.4", threshold=0.5),
            Classification((score,), None, "why"),
            HeatMap(np.eye(3, dtype=np.float32), "evidence", "1.2.3.4", np.eye(3, dtype=bool)),
            Refusal("too-thick", "The slices are too thick."),
            Note("Side unknown."),
            Note("Thick slices.", caution=True),
        )
    )
    exchange.save(findings, tmp_path / "out")
    back = exchange.load(tmp_path / "out")

    assert [type(item) for item in back.items] == [type(item) for item in findings.items]
    assert (back.segments[0].mask.array == mask.array).all()
    assert (back.segments[0].mask.affine == mask.affine).all()
    assert back.segments[0].mask.frame_of_reference_uid == "1.2.3"
    assert back.segments[0].modifier == codes.ANTERIOR
    assert back.segments[0].colour == (1, 2, 3)
    assert back.measurements[0].of is back.segments[0]
    assert back.measurements[0].uncertainty == 0.05
    assert back.changes[0].of is back.measurements[0]
    assert (back.changes[0].day, back.changes[0].earlier) == (date(2026, 2, 28), (before,))
    assert back.classifications == findings.classifications
    assert (back.heat_maps[0].values == np.eye(3)).all()
    assert (back.heat_maps[0].region == np.eye(3)).all()
    assert len(back.about("1.2.3.4").items) == 2
    assert back.refusal == findings.refusal
    assert back.notes == findings.notes
    assert exchange.summary(back)[-1].text == "Low confidence: thick slices."
    assert exchange.summary(back) == exchange.summary(findings)


def some(*voxels: tuple[int, int, int]) -> np.ndarray:
    mask = np.zeros((5, 6, 7), bool)
    for voxel in voxels:
        mask[voxel] = True
    return mask


@pytest.mark.parametrize(
    "mask",
    [
        some(),
        some((0, 0, 0)),
        some((4, 5, 6), (1, 2, 3)),
        ~some((2, 2, 2)),
        ~some(),
        (~some((4, 0, 0), (0, 5, 0))).transpose(2, 0, 1)[::-1],
        np.zeros((0, 3, 3), bool),
    ],
    ids=["empty", "a corner", "two voxels", "a hole", "full", "turned", "no slices"],
)
def test_masks_come_back_bit_by_bit(tmp_path: Path, mask: np.ndarray) -> None:
    volume = Volume(mask, affine=np.eye(4), coordinate_system="PATIENT")
    exchange.save(Findings((Segment(volume, codes.HIPPOCAMPUS, "x"),)), tmp_path)
    (back,) = exchange.load(tmp_path).segments
    assert back.mask.array.dtype == np.bool_
    assert np.array_equal(back.mask.array, mask)


def test_a_small_region_of_a_head_takes_little_room(tmp_path: Path) -> None:
    mask = np.zeros((176, 256, 256), bool)
    mask[60:78, 100:148, 110:140] = True
    volume = Volume(mask, affine=np.eye(4), coordinate_system="PATIENT")
    exchange.save(Findings((Segment(volume, codes.HIPPOCAMPUS, "x"),)), tmp_path)
    assert (tmp_path / exchange.ARRAYS).stat().st_size < 10_000
    assert np.array_equal(exchange.load(tmp_path).segments[0].mask.array, mask)


@pytest.mark.parametrize("most", [7, 300], ids=["one byte", "two bytes"])
def test_a_label_map_comes_back_with_what_is_of_its_structures(tmp_path: Path, most: int) -> None:
    labels = np.zeros((40, 64, 64), np.int32)
    labels[3:20, 5:40, 6:50] = 7
    labels[25:30, 5:40, 6:50] = most
    volume = Volume(labels, affine=np.eye(4), coordinate_system="PATIENT")
    table = [Label(7, codes.BRAIN, "Seven", colour=(1, 2, 3))]
    table += [Label(n, codes.HIPPOCAMPUS, f"No. {n}", side=codes.LEFT) for n in (9, most) if n != 7]
    found = LabelMap(volume, tuple(table))
    of_it = Measurement(codes.VOLUME, 2.0, codes.MILLILITRE, of=found.segment(9))
    after = Segment(volume.with_array(labels > 0), codes.BRAIN, "All")
    of_that = Measurement(codes.VOLUME, 3.0, codes.MILLILITRE, of=after)
    exchange.save(Findings((found, of_it, after, of_that)), tmp_path)
    assert (tmp_path / exchange.ARRAYS).stat().st_size < 10_000
    back = exchange.load(tmp_path)
    kept = back.of(LabelMap)[0]
    assert np.array_equal(kept.labels.array, labels)
    assert kept.table == found.table
    assert back.measurements[0].of is kept.segment(9)
    assert back.measurements[1].of is back.of(Segment)[0]
    assert [s.name for s in back.segments] == [*(s.name for s in found.segments), "All"]
    assert exchange.summary(back) == exchange.summary(Findings((found, of_it, after, of_that)))


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("0.grid", np.array([4, 4, 4, 3]), "no findings"),
        ("0.grid", np.array([4, 4, -4, 1]), "no findings"),
        ("0.grid", np.array([4, 4, 5, 1]), "no findings"),
        ("0.grid", np.array([4, 4, 3, 1]), "no findings"),
        ("0.grid", np.array([4000, 4000, 4000, 1]), "MiB of memory"),
        ("0.labels", np.arange(20, dtype=np.uint8), "no findings"),
        ("0.labels", np.zeros(20), "no findings"),
    ],
)
def test_a_label_map_that_is_none_is_refused(name: str, value: np.ndarray, words: str) -> None:
    volume = Volume(np.ones((4, 4, 4), int), affine=np.eye(4), coordinate_system="PATIENT")
    found = LabelMap(volume, (Label(1, codes.BRAIN, "One"),))
    items, arrays = exchange.as_items(Findings((found,)))
    assert exchange.judged(items, arrays, 1 << 20).segments[0].voxels == 64
    with pytest.raises(ModuleError, match=words):
        exchange.judged(items, {**arrays, name: value}, 1 << 20)


def test_a_structure_of_a_label_map_is_not_kept_by_itself() -> None:
    item = {"kind": "LabelledSegment", "within": 0, "value": 1}
    with pytest.raises(ModuleError, match="no findings"):
        exchange.judged([item], {}, 1 << 20)


def test_pictures_come_back_whatever_the_uids_are(tmp_path: Path) -> None:
    assert exchange.load_pictures(tmp_path) == {}
    pictures = {name: np.full((2, 3), n, np.uint8) for n, name in enumerate(("1.2", "../file"))}
    exchange.save_pictures(pictures, tmp_path)
    back = exchange.load_pictures(tmp_path)
    assert list(back) == list(pictures)
    assert all((back[name] == pictures[name]).all() for name in pictures)
    exchange.save_pictures({}, tmp_path)
    assert exchange.load_pictures(tmp_path) == {}


def test_what_an_older_version_wrote_is_read(tmp_path: Path) -> None:
    """A result may be taken back years later, and its findings are read for that."""
    (tmp_path / exchange.FINDINGS).write_text(
        """[
 {"kind": "Segment", "frame_of_reference_uid": "1.2.3", "code": {"code": ["1", "99X", "One"]},
  "label": "One", "modifier": null, "side": null, "category": {"code": ["2", "99X", "Two"]},
  "colour": [1, 2, 3]},
 {"kind": "Measurement", "code": {"code": ["3", "99X", "Three"]}, "value": 1.5,
  "unit": {"code": ["ml", "UCUM", "millilitre"]}, "of": 0, "uncertainty": null, "image": null,
  "followed": true},
 {"kind": "Change", "of": 1, "day": "2026-02-28", "earlier": [{"day": "2024-02-29", "value": 1.3,
  "uncertainty": 0.05, "study_uid": "1.2", "series_uid": "1.3", "sop_instance_uid": "1.4"}]},
 {"kind": "Classification", "scores": [{"code": ["4", "99X", "Four"], "label": "Four",
  "value": 0.75}], "outcome": {"code": ["4", "99X", "Four"], "label": "Four", "value": 0.75},
  "basis": "why", "image": "1.2.3.4", "threshold": 0.5},
 {"kind": "HeatMap", "label": "evidence", "image": "1.2.3.4"},
 {"kind": "Refusal", "code": "no", "text": "No.", "image": null},
 {"kind": "Note", "text": "Thick slices.", "image": null, "caution": true}
]"""
    )
    mask = np.arange(24).reshape(2, 3, 4) > 11
    arrays = {
        "0.mask": np.packbits(mask),
        "0.box": np.array([[0, 0, 0], mask.shape, mask.shape]),
        "0.affine": np.eye(4),
        "4.values": np.eye(3, dtype=np.float32),
    }
    np.savez(tmp_path / exchange.ARRAYS, allow_pickle=False, **arrays)
    back = exchange.load(tmp_path)
    assert [type(item).__name__ for item in back.items] == [
        *("Segment", "Measurement", "Change", "Classification", "HeatMap", "Refusal", "Note")
    ]
    assert np.array_equal(back.segments[0].mask.array, mask)
    assert back.changes[0].of.of is back.segments[0]
    assert back.classifications[0].scores[0].code.meaning == "Four"
    assert back.heat_maps[0].region is None
    exchange.save(back, tmp_path / "again")
    assert exchange.summary(exchange.load(tmp_path / "again")) == exchange.summary(back)


NOTE = {"kind": "Note", "text": "Fine.", "image": None, "caution": False}
CODE = {"code": ["1", "99X", "One"]}
SEGMENT = {
    "kind": "Segment",
    "frame_of_reference_uid": "1.2.3",
    "code": CODE,
    "label": "One",
    "modifier": None,
    "side": None,
    "category": CODE,
    "colour": [1, 2, 3],
}
MEASURED = {
    "kind": "Measurement",
    "code": CODE,
    "value": 1.5,
    "unit": CODE,
    "of": 0,
    "uncertainty": None,
    "image": None,
    "followed": True,
}
BOX = [[0, 0, 0], [1, 2, 4], [2, 3, 4]]
ARRAYS = {
    "0.mask": np.packbits(np.ones(8, bool)),
    "0.box": np.array(BOX),
    "0.affine": np.eye(4),
}


def crafted_box(*sides: list[int], bits: int = 1) -> dict[str, np.ndarray]:
    return ARRAYS | {"0.box": np.array(sides), "0.mask": np.zeros(bits, np.uint8)}


CRAFTED: dict[str, tuple[list[Any], dict[str, np.ndarray]]] = {
    "no kind": ([{}], {}),
    "an unknown kind": ([{"kind": "Evil"}], {}),
    "a kind that is a list": ([{"kind": []}], {}),
    "a base class": ([{"kind": "Finding"}], {}),
    "a lack": ([{"kind": "Note"}], {}),
    "a number for a text": ([NOTE | {"text": 5}], {}),
    "an object for a text": ([NOTE | {"text": {"a": 1}}], {}),
    "a control character": ([NOTE | {"text": "\x00"}], {}),
    "a text for a truth": ([NOTE | {"caution": "yes"}], {}),
    "no image": ([NOTE | {"image": "../etc"}], {}),
    "no arrays": ([SEGMENT], {}),
    "no number": ([SEGMENT, MEASURED | {"value": float("nan")}], ARRAYS),
    "a huge number": ([SEGMENT, MEASURED | {"value": 10**400}], ARRAYS),
    "of itself": ([SEGMENT, MEASURED | {"of": 1}], ARRAYS),
    "of one from the end": ([SEGMENT, MEASURED | {"of": -1}], ARRAYS),
    "of no segment": ([NOTE, MEASURED], ARRAYS),
    "half a code": ([SEGMENT | {"code": {"code": ["1"]}}], ARRAYS),
    "a code of numbers": ([SEGMENT | {"code": {"code": [1, 2, 3]}}], ARRAYS),
    "a long label": ([SEGMENT | {"label": "x" * 65}], ARRAYS),
    "no colour": ([SEGMENT | {"colour": [1, 2, 300]}], ARRAYS),
    "no affine": ([SEGMENT], ARRAYS | {"0.affine": np.zeros(3)}),
    "an affine of nothing": ([SEGMENT], ARRAYS | {"0.affine": np.full((4, 4), np.nan)}),
    "a frame that is no text": ([SEGMENT | {"frame_of_reference_uid": [1]}], ARRAYS),
    "a box beyond its volume": ([SEGMENT], crafted_box([0] * 3, [9, 2, 4], [2, 3, 4])),
    "a box that is turned": ([SEGMENT], crafted_box([1, 0, 0], [0, 2, 4], [2, 3, 4])),
    "a box from below nothing": ([SEGMENT], crafted_box([-1, 0, 0], [1, 2, 4], [2, 3, 4])),
    "a box of fractions": ([SEGMENT], ARRAYS | {"0.box": np.array(BOX, float)}),
    "a box of one line": ([SEGMENT], ARRAYS | {"0.box": np.array(BOX[0])}),
    "a mask of two axes": ([SEGMENT], crafted_box([0, 0], [2, 4], [2, 4])),
    "too few bits": ([SEGMENT], crafted_box(*BOX, bits=0)),
    "too many bits": ([SEGMENT], crafted_box(*BOX, bits=2)),
    "a mask larger than the memory": ([SEGMENT], crafted_box([0] * 3, [1, 2, 4], [1 << 40] * 3)),
}


def test_the_letter_that_the_crafted_ones_are_made_of_is_read() -> None:
    found = exchange.judged([SEGMENT, MEASURED], ARRAYS, 1 << 20)
    assert found.measurements[0].of is found.segments[0]


@pytest.mark.parametrize(("items", "arrays"), CRAFTED.values(), ids=CRAFTED.keys())
def test_crafted_findings_are_the_module_s_failure(
    items: list[Any], arrays: dict[str, np.ndarray]
) -> None:
    with pytest.raises(ModuleError) as raised:
        exchange.judged(items, arrays, 1 << 20)
    assert "\n" not in str(raised.value)


def test_a_crafted_picture_is_the_module_s_failure() -> None:
    grey = np.zeros((2, 3), np.uint8)
    assert exchange.judged_pictures({"1.2.3": grey}) == {"1.2.3": grey}
    for uid, picture in (
        ("../1", grey),
        ("1.2.3", grey[0]),
        ("1.2.3", grey[:0]),
        ("1.2.3", grey.astype(float)),
        ("1.2.3", np.zeros((4097, 1), np.uint8)),
    ):
        with pytest.raises(ModuleError, match="something that is no picture"):
            exchange.judged_pictures({uid: picture})
