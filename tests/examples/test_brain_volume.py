"""The example `brain-volume`: its arithmetic on a mask of ours, and deepbet itself by `--whole`."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

import hilum
import hilum_module
from hilum.dicom import codes
from hilum.dicom.instance import Instance
from hilum.dicom.series import Series
from hilum.dicom.study import Study
from hilum.environments import Environment
from hilum.installing import Wanted, add
from hilum.testing import check_module
from tests.installing.frameworks import wheels_of
from tests.system.site import running
from tests.voxels import series_of

from .brains import RADII, by_threshold, inside, write_head
from .package import EXAMPLE

BRAIN_VOLUME = EXAMPLE.with_name("brain-volume")
LEFT_ML, RIGHT_ML = 3.0, 3.5
Run = Callable[..., list[hilum_module.Finding]]


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_head(tmp_path_factory.mktemp("head"))


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The module, with the mask by a threshold in the place of deepbet's."""
    monkeypatch.syspath_prepend(str(BRAIN_VOLUME))
    from brain_volume import BrainVolume

    class ByThreshold(BrainVolume):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(by_threshold)

    yield ByThreshold
    sys.modules.pop("brain_volume")


def hippocampi(head: list[Path]) -> hilum.Findings:
    """What `hippocampal-volume` finds in a head: parts and wholes of both sides."""
    [series] = Study.of(map(Instance.read, head)).series
    assert isinstance(series, Series)
    volume = series.volume()
    mask = volume.with_array(volume.array > 800)
    found: list[hilum.Finding] = []
    for side, whole in ((codes.LEFT, LEFT_ML), (codes.RIGHT, RIGHT_ML)):
        for modifier, millilitres in ((codes.ANTERIOR, 1.0), (None, whole)):
            of = hilum.Segment(mask, codes.HIPPOCAMPUS, "x", modifier=modifier, side=side)
            found += [of, hilum.Measurement(codes.VOLUME, millilitres, codes.MILLILITRE, of=of)]
    return hilum.Findings(tuple(found))


def test_the_hippocampi_are_given_as_a_share_of_the_mask(module: Any, head: list[Path]) -> None:
    found = check_module(module, head, {"hippocampi": hippocampi(head)})
    volume, *shares = found.measurements
    truth = inside(RADII["brain"]).sum() * 8 / 1000
    assert volume.value == pytest.approx(truth, rel=0.02)
    assert [share.value for share in shares] == pytest.approx(
        [100 * each / volume.value for each in (LEFT_ML, RIGHT_ML, LEFT_ML + RIGHT_ML)]
    )
    assert "hides atrophy" in found.notes[-1].text


def run(module: Any, array: np.ndarray) -> list[hilum_module.Finding]:
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    volume = hilum_module.Volume(array.astype(np.float32), affine)
    return list(module().run(series_of(volume), None))


def test_alone_it_gives_the_mask_without_a_share(module: Any) -> None:
    segment, measured, note = run(module, inside(RADII["brain"]) * 600.0)
    assert segment.label == "Brain mask (deepbet)"
    assert measured.of is segment
    assert "no norm" in note.text


REFUSED = {
    "no-brain": lambda: inside(RADII["scalp"]) & ~inside(RADII["skull"]),
    "implausible-volume": lambda: inside((30, 30, 30)),
    "cut-off": lambda: inside(RADII["brain"])[30:],
}


@pytest.mark.parametrize("code", REFUSED)
def test_what_is_no_whole_brain_is_refused(module: Any, code: str) -> None:
    [refusal] = run(module, REFUSED[code]() * 600.0)
    assert isinstance(refusal, hilum_module.Refusal)
    assert refusal.code == code


@pytest.fixture(scope="module")
def deepbet(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models with the example as a hospital without internet adds it."""
    wanted = ("deepbet==1.0.2", "torch==2.13.0+cpu", "nibabel==5.4.2", "numpy==2.4.6")
    wheels = wheels_of(request, "wheels-of-deepbet", wanted)
    models = tmp_path_factory.mktemp("models")
    card = add(Wanted(str(BRAIN_VOLUME), wheels=wheels), models)
    assert isinstance(card, Environment)
    return models


@pytest.mark.whole
@pytest.mark.timeout(1800)
def test_deepbet_itself_measures_the_same_head_as_the_hippocampi(
    deepbet: Path, sample_exam: Path, tmp_path: Path
) -> None:
    """In the SR of the later run stand both algorithms, and what a share hides."""
    files = sorted((sample_exam / "02").glob("*.dcm"))
    names = ("brain-volume", "hippocampal-volume")  # the one that waits comes first
    settings = {
        "models": deepbet,
        "worker": {"count": 2, "memory_mb": 8192},
        "destination": [{"name": "out", "kind": "folder", "folder": tmp_path / "out"}],
        "rule": [{"module": name, "send_to": ["out"]} for name in names],
    }
    with running(tmp_path, **settings) as gateway:
        gateway.send(files)
        items = gateway.settled(Instance.read(files[0]).study_uid, workitems=2).workitems
    of = {item.module: item for item in items}
    assert {item.state for item in items} == {"completed"}
    volume, *shares = [one for one in of["brain-volume"].findings if one.kind == "measurement"]
    assert 1300 < volume.value < 1550
    assert len(shares) == 3
    assert 0.3 < shares[-1].value < 0.9, "two hippocampi of 3 to 5 mL each"
    reports = [pydicom.dcmread(path).to_json() for path in (tmp_path / "out").rglob("*.dcm")]
    [text] = [said for said in reports if "Both hippocampi as a share of the brain mask" in said]
    assert "hides atrophy" in text
    for name in names:
        assert name in text
