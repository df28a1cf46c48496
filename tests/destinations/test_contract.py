"""One contract for every destination, against real archives."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hilum.destinations import Destination, open_destination
from hilum.destinations.folder import FolderDestinationSettings
from hilum.kinds import DESTINATIONS
from hilum.testing import check_destination, results_of
from tests.archives import Orthanc
from tests.synthetic import write_series


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with Orthanc(tmp_path_factory.mktemp("orthanc")) as running:
        yield running


def _settings(kind: str, orthanc: Orthanc, folder: Path) -> dict[str, Any]:
    return {
        "dimse": {"port": orthanc.dicom_port, "ae_title": orthanc.ae_title},
        "dicomweb": {"url": orthanc.dicomweb_url},
        "folder": {"folder": folder},
    }[kind]


@pytest.fixture(params=["dimse", "dicomweb", "folder"])
def destination(request: pytest.FixtureRequest, orthanc: Orthanc, tmp_path: Path) -> Destination:
    values = _settings(request.param, orthanc, tmp_path / "out")
    return open_destination(DESTINATIONS.load(request.param).settings(name="archive", **values))


def test_the_contract(destination: Destination, tmp_path: Path) -> None:
    files = write_series(tmp_path / "one", 4) + write_series(tmp_path / "other", 3)
    check_destination(destination, results_of(files))


def test_a_folder_shows_nothing_of_the_patient(tmp_path: Path, orthanc: Orthanc) -> None:
    out = tmp_path / "out"
    settings = FolderDestinationSettings(name="folder", folder=out)
    list(open_destination(settings).send(results_of(write_series(tmp_path / "scan", 2))))
    assert len(list(out.rglob("*.dcm"))) == 2
    assert not [path for path in out.rglob("*") if "MARKER" in path.name]
