"""A number at every voxel: made, stored, sent as a DICOM Parametric Map, drawn and told."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom.sr.codedict import codes as dictionary
from pypdf import PdfReader

from hilum.dicom import codes
from hilum.engine import exchange
from hilum.errors import FindingError
from hilum.findings import Finding, Findings, ParametricMap
from hilum.objects import write_objects
from hilum.objects.report import Report

from . import exams, validators
from .test_shapes import assert_valid

DIFFUSION = dictionary.DCM.ApparentDiffusionCoefficient


def map_of(series, label="Diffusion"):
    volume = series.volume()
    values = np.zeros(volume.array.shape)
    values[2, 3:9, 4:8] = np.linspace(0.25, 1.5, 24).reshape(6, 4)
    return ParametricMap(volume.with_array(values), DIFFUSION, codes.MILLILITRE, label)


def test_what_cannot_be_one_is_refused_where_it_is_made(tmp_path: Path) -> None:
    series = exams.write_exam(tmp_path, shape=(6, 12, 12)).series[0]
    volume = series.volume()
    for wrong, said in (
        (volume.array, "not a Volume"),
        (volume.with_array(np.full(volume.array.shape, np.nan)), "not all finite"),
        (volume.with_array(np.full(volume.array.shape, 1e300)), "too large for float32"),
        (volume.with_array(volume.array > 0), "not numbers"),
    ):
        with pytest.raises(FindingError, match=said):
            ParametricMap(wrong, DIFFUSION, codes.MILLILITRE, "Diffusion")


def test_it_is_sent_drawn_and_told(tmp_path: Path, judge: validators.Judge) -> None:
    study = exams.write_exam(tmp_path, shape=(6, 12, 12))
    series = study.series[0]
    given: list[Finding] = [map_of(series), map_of(series, "Diffusion again")]
    exchange.save(Findings(tuple(given)), tmp_path / "out")
    found = exchange.load(tmp_path / "out")
    assert exchange.summary(found)[0].in_words() == "Map of Diffusion: 0 to 1.5 mL"
    analysis = exams.analysis_of(study, series, *found.items)
    objects = write_objects(analysis)
    first, second = (made for kind, made in objects if kind == "pm")
    assert first.SOPInstanceUID != second.SOPInstanceUID
    wanted = given[0].values.array  # type: ignore[attr-defined]
    voxels = np.frombuffer(first.FloatPixelData, np.float32).reshape(wanted.shape)
    groups = first.PerFrameFunctionalGroupsSequence
    places = [float(g.PlanePositionSequence[0].ImagePositionPatient[2]) for g in groups]
    order = [min(range(6), key=lambda n: abs(series.frames[n].position[2] - z)) for z in places]
    assert np.array_equal(voxels, wanted[order]), "each frame where its slice is"
    for number, made in enumerate((first, second)):
        path = tmp_path / f"map-{number}.dcm"
        made.save_as(path, enforce_file_format=True)
        assert validators.dciodvfy(path) == []
    images = {image.sop_instance_uid for image in series.instances}
    assert {i.ReferencedSOPInstanceUID for i in first.SourceImageSequence} == images
    written = dict(objects)
    pages = PdfReader(BytesIO(written["pdf"].EncapsulatedDocument)).pages
    page = " ".join(" ".join(p.extract_text() for p in pages).split())
    assert "Map of Diffusion: 0 to 1.5 mL" in page
    assert "0 to 1.5 mL" in page
    told = [e.value for e in written["sr"].iterall() if e.keyword == "TextValue"]
    assert "Map of Diffusion: 0 to 1.5 mL." in told
    assert_valid(written["sr"], tmp_path, judge)
    shown = Report(analysis).marked[0]
    assert (shown.label, shown.value, shown.place) == ("Diffusion", "0 to 1.5 mL", "image 3")
    assert np.ptp(np.asarray(shown.image).astype(int), axis=2).max() > 50, "in colour"
    again = dict(write_objects(analysis))["pm"]
    assert again == second, "a repeated writing gives the same"
