"""Findings survive the way to disk and back."""

from pathlib import Path

import numpy as np
from highdicom import Volume

from hilum import Classification, HeatMap, Measurement, Note, Refusal, Score, Segment, codes
from hilum.engine import exchange
from hilum.findings import Findings


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
    findings = Findings(
        (
            segment,
            Measurement(codes.VOLUME, 1.25, codes.MILLILITRE, of=segment, uncertainty=0.05),
            Classification((score,), score, "why", "1.2.3.4", threshold=0.5),
            Classification((score,), None, "why"),
            HeatMap(np.eye(3, dtype=np.float32), "evidence", "1.2.3.4", np.eye(3, dtype=bool)),
            Refusal("too-thick", "The slices are too thick."),
            Note("Side unknown."),
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
    assert back.classifications == findings.classifications
    assert (back.heat_maps[0].values == np.eye(3)).all()
    assert (back.heat_maps[0].region == np.eye(3)).all()
    assert len(back.about("1.2.3.4").items) == 2
    assert back.refusal == findings.refusal
    assert exchange.summary(back) == exchange.summary(findings)


def test_pictures_come_back_whatever_the_uids_are(tmp_path: Path) -> None:
    assert exchange.load_pictures(tmp_path) == {}
    pictures = {name: np.full((2, 3), n, np.uint8) for n, name in enumerate(("1.2", "../file"))}
    exchange.save_pictures(pictures, tmp_path)
    back = exchange.load_pictures(tmp_path)
    assert list(back) == list(pictures)
    assert all((back[name] == pictures[name]).all() for name in pictures)
    exchange.save_pictures({}, tmp_path)
    assert exchange.load_pictures(tmp_path) == {}
