"""One contract for every destination, against real archives."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from hilum.answers import Acceptance
from hilum.destinations import Destination, open_destination
from hilum.destinations.folder import FolderDestinationSettings
from hilum.dicom import codes
from hilum.dicom.part10 import as_file
from hilum.dicom.uids import RLE_LOSSLESS, derived_uid
from hilum.findings import Label, LabelMap
from hilum.kinds import DESTINATIONS
from hilum.objects import write_objects
from hilum.testing import check_destination, results_of, samples
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


@pytest.mark.parametrize("kind", ["dimse", "dicomweb"])
def test_a_label_map_arrives_compressed_as_it_is(
    kind: str, orthanc: Orthanc, tmp_path: Path
) -> None:
    files = samples.write_series(tmp_path / "images", 4, (12, 10))
    series = samples.analysis_of(files).series
    assert series is not None
    volume = series.volume()
    labels = volume.with_array(np.arange(volume.array.size).reshape(volume.array.shape) % 3)
    table = tuple(Label(n, codes.BRAIN, f"{kind} {n}") for n in (1, 2))
    made = samples.analysis_of(files, LabelMap(labels, table))
    ((_, segmentation),) = write_objects(made, ("seg",), "labelmap")
    assert isinstance(segmentation, Dataset)
    segmentation.SOPInstanceUID = segmentation.file_meta.MediaStorageSOPInstanceUID = derived_uid(
        kind
    )
    path = tmp_path / "seg.dcm"
    path.write_bytes(as_file(segmentation))
    values = _settings(kind, orthanc, tmp_path)
    settings = DESTINATIONS.load(kind).settings(name="pacs", segmentation="labelmap", **values)
    destination = open_destination(settings)
    assert all(checked.good for checked in destination.check())
    (answer,) = destination.send(results_of([path]))
    assert answer.acceptance is Acceptance.TAKEN
    (kept,) = httpx.post(
        f"{orthanc.url}/tools/find",
        json={"Level": "Instance", "Query": {"SOPInstanceUID": segmentation.SOPInstanceUID}},
    ).json()
    back = pydicom.dcmread(BytesIO(httpx.get(f"{orthanc.url}/instances/{kept}/file").content))
    assert back.file_meta.TransferSyntaxUID == RLE_LOSSLESS
    assert back.PixelData == segmentation.PixelData
