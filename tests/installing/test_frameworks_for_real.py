"""A MONAI bundle and an nnU-Net by MONAI, nnU-Net and PyTorch themselves, behind the walls.

They take some gigabytes and minutes, so only `--whole` runs them.
"""

import os
import subprocess
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from hilum.config.site import Worker
from hilum.engine import exchange
from hilum.environments import PACKAGES, Environment
from hilum.findings import Findings
from hilum.hosts import Place, in_child, open_host
from hilum.hosts.discovery import installed_module
from hilum.installing import Wanted, add
from hilum.installing.uv import Uv, interpreter
from hilum.testing import check_host, job_of, write_series
from hilum_module import Volume
from hilum_module.models import nifti

from .frameworks import VERSIONS, wheels_of, write_bundle, write_nnunet

pytestmark = [pytest.mark.whole, pytest.mark.timeout(1800)]
TORCH = f"torch=={VERSIONS['pytorch_version']}"
OF_BUNDLE = (
    *(TORCH, f"monai=={VERSIONS['monai_version']}", f"numpy=={VERSIONS['numpy_version']}"),
    *("nibabel==5.4.2", "pytorch-ignite==0.5.5"),
)
OF_NNUNET = (TORCH, "nnunetv2==2.8.1")
MAKER = Path(__file__).with_name("make_nnunet.py")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def bundle(
    models: Path, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Environment:
    wheels = wheels_of(request, "wheels-of-monai", OF_BUNDLE)
    source = write_bundle(tmp_path_factory.mktemp("bundle"))
    return add(Wanted(str(source), wheels=wheels), models)


@pytest.fixture(scope="module")
def source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an nnU-Net with weights; the packages of its environment lie beside it."""
    wheels = wheels_of(request, "wheels-of-nnunet", OF_NNUNET)
    folder = tmp_path_factory.mktemp("nnunet")
    (folder / "in").write_text("\n".join(OF_NNUNET))
    uv = Uv(interpreter(None), wheels)
    uv.lock(folder / "in", folder / "lock")
    uv.install(folder / "lock", folder / PACKAGES)
    by_itself(folder, "make", str(write_nnunet(folder)))
    return folder


@pytest.fixture(scope="module")
def nnunet(models: Path, source: Path, request: pytest.FixtureRequest) -> Environment:
    wheels = wheels_of(request, "wheels-of-nnunet", OF_NNUNET)
    return add(Wanted(str(source / "Dataset900_Tiny"), wheels=wheels), models)


def by_itself(folder: Path, *words: str) -> None:
    """nnU-Net without Hilum."""
    environment = {**os.environ, "PYTHONPATH": str(folder / PACKAGES), "nnUNet_n_proc_DA": "0"}
    command = [str(interpreter(None)), "-W", "ignore", str(MAKER), *words]
    subprocess.run(command, check=True, env=environment, capture_output=True)


@pytest.fixture
def exam(tmp_path: Path) -> list[Path]:
    """Anisotropic, of odd sizes, and oblique."""
    turned = {
        "PixelSpacing": [0.9, 1.1],
        "ImageOrientationPatient": [0.96, 0.28, 0, -0.28, 0.96, 0],
    }
    return write_series(tmp_path / "exam", 19, (37, 30), **turned)


def found_in(name: str, models: Path, files: list[Path], out: Path) -> tuple[Findings, Volume]:
    """What the module called `name` finds, twice and the same; and what it was given."""
    module = installed_module(name, Place(models=models))
    job = job_of(module, files, out)
    place = Place(Worker(memory_mb=6144, timeout_seconds=300), models)
    with closing(open_host(in_child(name), place)) as host:
        check_host(host, job)
    given = module.needs.read(job.inputs["series"]).volume()  # type: ignore[union-attr]
    volume = Volume(given.array, given.affine)  # type: ignore[union-attr]
    return exchange.load(out / "first"), volume


def test_a_bundle_runs_as_its_authors_wrote_it(
    bundle: Environment, models: Path, exam: list[Path], tmp_path: Path
) -> None:
    """Brighter than 500 between the voxels of its own grid of 1.25 mm: the bright half."""
    assert bundle.structures == ("Spleen: (78961009, SCT, Spleen)",)
    found, volume = found_in(bundle.name, models, exam, tmp_path / "out")
    (spleen,) = found.segments
    bright = volume.array > 500
    mask = spleen.inside(np.s_[:, :, :])
    rim = np.zeros_like(bright)
    rim[:, :, 14:16] = True  # where it lies between two voxels, and to the left and right of it
    assert np.array_equal(mask[~rim], bright[~rim])
    assert found.measurements[0].value == pytest.approx(spleen.volume_ml)


def test_an_nnunet_gives_what_it_gives_from_a_file(
    nnunet: Environment, source: Path, models: Path, exam: list[Path], tmp_path: Path
) -> None:
    found, volume = found_in(nnunet.name, models, exam, tmp_path / "out")
    nifti.write(volume, tmp_path / "image.nii.gz")
    model = str(source / "Dataset900_Tiny")
    by_itself(source, "predict", model, str(tmp_path / "image.nii.gz"), str(tmp_path / "it.npy"))
    expected = np.load(tmp_path / "it.npy")
    for number, segment in enumerate(found.segments, start=1):
        assert (expected == number).sum() > 50, "or nothing is compared"
        assert np.array_equal(segment.inside(np.s_[:, :, :]), expected == number)
