"""Nothing but an adult's whole, upright, frontal chest film passes, and each refusal says why."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless
from scipy.ndimage import gaussian_filter

from hilum.findings import Findings
from hilum.modules.chest import ChestRadiograph
from hilum.modules.chest.gates import REASONS
from hilum.offline import analyse_folder

from .films import film_of, held_out, odd

CT, SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.7"
HEADERS: list[tuple[str, dict[str, Any]]] = [
    ("secondary-capture", {"SOPClassUID": SECONDARY_CAPTURE}),
    ("secondary-capture", {"SOPClassUID": f"{SECONDARY_CAPTURE}.2"}),
    ("not-a-radiograph", {"SOPClassUID": CT, "Modality": "CT"}),
    ("not-a-radiograph", {"Modality": "MR"}),
    ("colour", {"SamplesPerPixel": 3}),
    ("multi-frame", {"NumberOfFrames": 7}),
    ("for-processing", {"PresentationIntentType": "FOR PROCESSING"}),
    ("other-body-part", {"BodyPartExamined": "HAND"}),
    ("lateral", {"ViewPosition": "LL"}),
    ("lateral", {"ViewPosition": "", "PatientOrientation": ["P", "F"]}),
    ("other-view", {"ViewPosition": "LLD"}),
    ("child", {"PatientAge": "017Y"}),
    ("child", {"PatientAge": "018M"}),
    ("child", {"PatientAge": "", "PatientBirthDate": "20080102"}),
]


@pytest.fixture(scope="module")
def module() -> ChestRadiograph:
    return ChestRadiograph(threads=2)


def refusal(module: ChestRadiograph, values: np.ndarray, folder: Path, **attributes: Any) -> str:
    """The code under which a film is refused, nothing if it is analysed."""
    film = film_of(values, folder, **attributes)
    findings = Findings(tuple(module.run([film])))
    if findings.refusal is None:
        return ""
    (about_film,) = findings.about(film.uid).items
    assert about_film.code == findings.refusal.code  # type: ignore[union-attr]
    assert findings.refusal.sentence.startswith("Could not be analysed, because ")
    return findings.refusal.code


def refused(module: ChestRadiograph, pictures: list[np.ndarray], folder: Path) -> list[str]:
    return [refusal(module, picture, folder) for picture in pictures]


@pytest.mark.parametrize(("code", "attributes"), HEADERS)
def test_the_header_alone(
    module: ChestRadiograph, tmp_path: Path, code: str, attributes: dict[str, Any]
) -> None:
    assert refusal(module, np.eye(256), tmp_path, **attributes) == code
    assert code in REASONS


def test_no_film_at_all(module: ChestRadiograph, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[-1:1:300j, -1:1:300j]
    head = (x**2 + (y / 1.2) ** 2 < 0.6) * (0.6 + 0.1 * gaussian_filter(rng.random((300, 300)), 4))
    pictures = {
        "noise": rng.random((300, 300)),
        "ramp": x + y,
        "blobs": gaussian_filter(rng.random((300, 300)), 12),
        "head": head + 0.3 * (abs(x**2 + (y / 1.2) ** 2 - 0.6) < 0.05),
        "flat": np.ones((300, 300)),
        "stripes": np.sin(40 * x),
    }
    for name, picture in pictures.items():
        assert refusal(module, picture, tmp_path), name
    assert refusal(module, rng.random((60, 300)), tmp_path) == "too-small"


def test_broken_pixels_refuse_that_film_only(module: ChestRadiograph, tmp_path: Path) -> None:
    film = film_of(np.eye(256), tmp_path)
    file = film.instance.path
    file.write_bytes(file.read_bytes()[:-5000])
    assert Findings(tuple(module.run([film]))).refusal.code == "unreadable"  # type: ignore[union-attr]


@pytest.mark.filterwarnings("ignore")
def test_a_corrupt_film_in_colour_still_gets_its_results(tmp_path: Path) -> None:
    film = film_of(
        np.eye(256),
        tmp_path / "in",
        SamplesPerPixel=3,
        PhotometricInterpretation="RGB",
        PlanarConfiguration=0,
    )
    ds = film.instance.dataset()
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 8, 8, 7
    ds.PixelData = encapsulate([b"\xff\x4f\xff\x51" + b"\xff" * 400])
    ds.file_meta.TransferSyntaxUID = JPEG2000Lossless
    ds.save_as(film.instance.path)
    (report,) = analyse_folder("chest-radiograph", tmp_path / "in", tmp_path / "out", {})
    assert report.findings[0].code == "colour"
    assert [result.kind for result in report.results] == ["sr", "sc", "pdf"]


@pytest.mark.parametrize("kind", ["lateral", "ct"])
def test_real_pictures_of_other_kinds(
    module: ChestRadiograph, shared: Path, tmp_path: Path, kind: str
) -> None:
    codes = refused(module, odd(shared, kind), tmp_path)
    assert sum(map(bool, codes)) >= len(codes) - 1


CHANGES = {
    "": lambda v: v,
    "rotated": lambda v: np.rot90(v),
    "upside-down": lambda v: np.rot90(v, 2),
    "inverted": lambda v: v.max() - v,
    "cropped": lambda v: v[: len(v) // 2, : v.shape[1] * 2 // 3],
}


@pytest.mark.parametrize("code", CHANGES, ids=lambda code: code or "as it is")
def test_real_films_changed(
    module: ChestRadiograph, shared: Path, tmp_path: Path, code: str
) -> None:
    films = [CHANGES[code](values) for values in held_out(shared, every=8)]
    codes = refused(module, films, tmp_path)
    right = sum(given == code for given in codes)
    assert right >= 0.85 * len(codes), codes
