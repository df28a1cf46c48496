"""The chest module on the computed film: what proves it where the real films are not at hand."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hilum.dicom import codes
from hilum.findings import Findings
from hilum.modules.chest import ChestRadiograph
from hilum_lab.network.radiograph import expose

from .films import film_of


@pytest.fixture(scope="module")
def module() -> ChestRadiograph:
    return ChestRadiograph(threads=2)


@pytest.fixture(scope="module")
def phantom() -> tuple[np.ndarray, np.ndarray]:
    """Pixels and the true shadow of the lungs, both (rows, columns)."""
    film = expose(2)
    return film.pixels.astype(np.float32), film.lungs


def test_the_phantom_is_scored_and_its_lungs_are_found(
    module: ChestRadiograph, phantom: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    pixels, truth = phantom
    film = film_of(pixels, tmp_path)
    findings = Findings(tuple(module.run((film,))))
    assert not findings.refusals
    (classification,) = findings.about(film.uid).classifications
    assert sum(score.value for score in classification.scores) == pytest.approx(1, abs=1e-3)
    (heat_map,) = findings.heat_maps
    lungs = heat_map.region
    assert lungs is not None
    rows, columns = (np.arange(n) * m // n for n, m in zip(lungs.shape, truth.shape, strict=True))
    truth = truth[np.ix_(rows, columns)]  # the region is on a coarser grid
    dice = 2 * (lungs & truth).sum() / (lungs.sum() + truth.sum())
    assert dice > 0.85
    (share,) = (m for m in findings.measurements if m.code == codes.EVIDENCE_IN_LUNGS)
    evidence = heat_map.values
    assert share.value == pytest.approx(100 * evidence[lungs].sum() / evidence.sum(), abs=6)


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("rotated", lambda film: np.rot90(film)),
        ("upside-down", lambda film: film[::-1]),
        ("inverted", lambda film: film.max() - film),
        ("cropped", lambda film: film[:, : film.shape[1] // 2]),
        (
            "other",
            lambda film: np.random.default_rng(1).permutation(film.ravel()).reshape(film.shape),
        ),
    ],
)
def test_what_is_wrong_with_it_is_named(
    module: ChestRadiograph,
    phantom: tuple[np.ndarray, np.ndarray],
    tmp_path: Path,
    code: str,
    change: Callable[[np.ndarray], np.ndarray],
) -> None:
    film = film_of(np.ascontiguousarray(change(phantom[0])), tmp_path)
    refusal = Findings(tuple(module.run((film,)))).refusal
    assert refusal is not None
    assert refusal.code == code
