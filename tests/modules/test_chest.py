"""The chest module on real films where they are, and what must hold without them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from hilum.dicom import codes
from hilum.dicom.film import Film
from hilum.findings import Findings
from hilum.hosts.discovery import installed_modules
from hilum.module import facts_of
from hilum.modules.chest import BUILT_IN, ChestRadiograph, inside_share
from hilum.modules.chest.card import ModelCard
from hilum.modules.chest.preprocess import (
    bilinear,
    lung_box,
    prepare,
    square_around,
    squared,
    unsquared,
)

from .films import film_of, held_out


@pytest.fixture(scope="module")
def module() -> ChestRadiograph:
    return ChestRadiograph(threads=2)


@pytest.fixture(scope="module")
def real(shared: Path) -> list[np.ndarray]:
    """Ten held-out films of several sources."""
    return held_out(shared, every=16)


def found(module: ChestRadiograph, *films: Film) -> Findings:
    return Findings(tuple(module.run(films)))


def blob(rows: int = 300, columns: int = 360) -> np.ndarray:
    """A smooth picture with structure in every row and column, 0-1."""
    y, x = np.mgrid[0 : 1 : rows * 1j, 0 : 1 : columns * 1j]
    return np.asarray(np.sin(20 * x + 1) * np.cos(17 * y + 0.5) + 0.3 * x, np.float32)


def test_is_registered_with_its_card() -> None:
    assert installed_modules()["chest-radiograph"] is ChestRadiograph
    facts = facts_of(ChestRadiograph)
    assert facts.weights_sha256 in ChestRadiograph.card.read_text()
    assert BUILT_IN / "card.toml" in ChestRadiograph.weights
    assert sum(path.stat().st_size for path in ChestRadiograph.weights) < 25e6
    assert (BUILT_IN / "network.onnx").stat().st_size <= 15e6


def test_prepares_whatever_the_size_depth_and_border() -> None:
    plain = blob()
    expected = prepare(plain)
    deep = np.kron(plain, np.ones((5, 5), np.float32)) * 20_000 + 7_000
    bordered = np.pad(deep, ((200, 50), (0, 400)), constant_values=deep.min())
    prepared = prepare(bordered)
    assert abs(np.subtract(prepared.box, (200, 0, 1700, 1800))).max() <= 10
    assert min(prepared.image.shape) == 320  # the short side at most
    assert prepared.image.min() == 0
    assert prepared.image.max() == 1
    same = bilinear(prepared.image, expected.image.shape)
    assert abs(same - expected.image).mean() < 0.02


def test_aspect_ratio_is_kept_and_every_step_has_a_way_back() -> None:
    image = prepare(blob(280, 400)).image
    square = squared(image, 128)
    assert square.shape == (128, 128)
    assert abs(unsquared(square, image.shape) - image).mean() < 0.02
    top, left, bottom, right = square_around((10, 20, 60, 40))
    assert bottom - top == right - left == 50
    bordered = np.pad(blob(), ((100, 0), (0, 0)), constant_values=blob().min())
    prepared = prepare(bordered)
    laid = prepared.on_film(np.ones(prepared.image.shape, np.float32))
    assert laid.shape == bordered.shape
    assert laid[:80].max() == 0
    assert laid[130:].min() == 1


@pytest.mark.parametrize("shape", [(3000, 2400), (300, 5000), (200, 150)])
def test_maps_of_a_large_film_are_coarser_and_cover_it(shape: tuple[int, int]) -> None:
    prepared = prepare(np.pad(blob(shape[0] - 60, shape[1]), ((60, 0), (0, 0)), constant_values=-2))
    laid = prepared.on_film(np.ones(prepared.image.shape, np.float32))
    assert max(laid.shape) == min(1024, max(shape))
    assert laid.shape[0] / laid.shape[1] == pytest.approx(shape[0] / shape[1], rel=0.02)
    same = prepared.mask_on_film(np.ones(prepared.image.shape, bool))
    assert (same == (laid > 0)).all()
    assert same.mean() == pytest.approx(1 - prepared.box[0] / shape[0], abs=0.02)


def test_a_flat_picture_does_no_harm() -> None:
    assert prepare(np.full((200, 150), 7.0)).image.max() == 0
    assert lung_box(np.zeros((5, 5), bool)) is None
    assert inside_share(np.zeros((5, 5)), np.ones((5, 5), bool)) is None


def test_every_good_film_gets_scores_a_map_and_the_share_inside_the_lungs(
    module: ChestRadiograph, real: Sequence[np.ndarray], tmp_path: Path
) -> None:
    analysed = 0
    for number, values in enumerate(real):
        film = film_of(values, tmp_path, f"film-{number}")
        findings = found(module, film).about(film.uid)
        if not findings.classifications:
            continue
        analysed += 1
        (classification,) = findings.classifications
        assert sum(score.value for score in classification.scores) == pytest.approx(1)
        assert "not the probability of a disease" in classification.basis
        (heat,) = findings.heat_maps
        assert heat.values.shape == values.shape  # no film here is larger than 1024 pixels
        assert heat.values.max() == pytest.approx(1, abs=0.1)
        assert heat.region is not None
        assert 0.05 < heat.region.mean() < 0.6
        (share,) = findings.measurements
        assert share.code == codes.EVIDENCE_IN_LUNGS
        assert share.unit == codes.PERCENT
        assert 0 <= share.value <= 100
        assert not any("age" in note.text for note in findings.notes)
    assert analysed >= len(real) - 1


def test_polarity_depth_and_border_of_the_dicom_do_not_matter(
    module: ChestRadiograph, real: Sequence[np.ndarray], tmp_path: Path
) -> None:
    values = real[0]
    large = bilinear(values, (values.shape[0] * 4, values.shape[1] * 4))
    variants = [
        film_of(values, tmp_path, "plain"),
        film_of(values, tmp_path, "mono1", PhotometricInterpretation="MONOCHROME1"),
        film_of(values, tmp_path, "sloped", RescaleSlope=2, RescaleIntercept=-500),
        film_of(large, tmp_path, "large"),
    ]
    scores = []
    for film in variants:
        looked = module.look(film)
        scores.append(looked.reading.scores)  # type: ignore[union-attr]
    for other in scores[1:]:
        assert abs(other - scores[0]).max() < 0.06


def test_one_study_one_result_a_film_and_the_lateral_beside_it(
    module: ChestRadiograph, real: Sequence[np.ndarray], tmp_path: Path
) -> None:
    frontal = film_of(real[0], tmp_path, "frontal")
    lateral = film_of(real[1], tmp_path, "lateral", ViewPosition="LL")
    findings = found(module, frontal, lateral)
    assert findings.refusal is None
    assert [r.code for r in findings.about(lateral.uid).items] == ["lateral"]  # type: ignore[union-attr]
    assert len(findings.classifications) == 1
    assert findings.classifications[0].image == frontal.uid


def test_several_frontal_films_get_a_summary_that_hides_no_contradiction(
    module: ChestRadiograph, real: Sequence[np.ndarray], tmp_path: Path
) -> None:
    films = [film_of(values, tmp_path, f"film-{n}") for n, values in enumerate(real)]
    by_label: dict[str, Film] = {}
    for film in films:
        outcome = next(iter(found(module, film).classifications), None)
        if outcome and outcome.outcome:
            by_label.setdefault(outcome.outcome.label, film)
    assert len(by_label) >= 2, "the held-out films no longer give two outcomes"
    (one, first), (other, second) = list(by_label.items())[:2]
    about_all = found(module, first, second).about(None)
    assert about_all.classifications[0].outcome is None
    contradiction = "The frontal films contradict each other: no common outcome."
    assert contradiction in [note.text for note in about_all.notes]
    assert one != other
    again = film_of(first.values(), tmp_path, "again")
    agreed = found(module, first, again).about(None)
    assert agreed.classifications[0].outcome is not None
    assert agreed.classifications[0].outcome.label == one


def test_it_abstains_below_the_score_of_the_card(module: ChestRadiograph) -> None:
    card = ModelCard.read(BUILT_IN)
    assert 1 / 3 < card.abstain_below < 0.9
    unsure = module.classification(np.array([0.34, 0.33, 0.33]), "1.2.3")
    assert unsure.outcome is None
    assert unsure.scores[0].label == card.group[0].label
    sure = module.classification(np.array([0.02, 0.03, 0.95]), "1.2.3")
    assert sure.outcome is not None
    assert sure.outcome.label == "COVID-19"


def test_an_unknown_age_is_said(
    module: ChestRadiograph, real: Sequence[np.ndarray], tmp_path: Path
) -> None:
    film = film_of(real[0], tmp_path, PatientAge="", PatientBirthDate="")
    assert any("age is unknown" in note.text for note in found(module, film).notes)
