"""Small MR series made by the tests themselves."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import sqlalchemy as sa
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, SecondaryCaptureImageStorage

from hilum.config.site import Rule
from hilum.dicom.instance import Instance
from hilum.dicom.own import OwnResults
from hilum.dicom.uids import derived_uid
from hilum.records import Records, listing, tables
from hilum.records.models.deliveries import Delivery, WrittenResult
from hilum.records.models.studies import Removal, Study
from hilum.records.models.workitems import Workitem
from hilum.records.rows import insert
from hilum.records.states import DeliveryState, WorkitemKind, WorkitemState
from hilum.results import DICOM


def mr_slices(
    name: str = "crop",
    study: str = "study",
    count: int = 32,
    shape: tuple[int, int] = (48, 36),
    spacing: float = 1.0,
    description: str = "HippoCrop",
    modality: str = "MR",
    patient: str = "Marker^Patient",
) -> list[Dataset]:
    """An axial series called `name`: `count` slices, positions from 0 upwards."""
    rng = np.random.default_rng(crc32(name.encode()))
    series_uid = derived_uid("test", study, name)
    slices = []
    for index in range(count):
        ds = Dataset()
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = MRImageStorage
        ds.SOPInstanceUID = derived_uid("test", study, name, str(index))
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        ds.StudyInstanceUID = derived_uid("test", study)
        ds.SeriesInstanceUID = series_uid
        ds.FrameOfReferenceUID = derived_uid("test", study, "frame")
        ds.Modality, ds.SeriesDescription, ds.SeriesNumber = modality, description, 1
        ds.PatientName, ds.PatientID = patient, "marker-id"
        ds.PatientBirthDate, ds.PatientSex = "19700101", "O"
        ds.StudyDate, ds.StudyTime, ds.StudyID, ds.AccessionNumber = "20260101", "120000", "1", "A1"
        ds.ReferringPhysicianName = ""
        ds.InstanceNumber = index + 1
        ds.Rows, ds.Columns = shape
        ds.PixelSpacing = [1.0, 1.0]
        ds.SliceThickness = spacing
        ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        ds.ImagePositionPatient = [0, 0, index * spacing]
        ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
        ds.BitsAllocated = ds.BitsStored = 16
        ds.HighBit, ds.PixelRepresentation = 15, 0
        ds.ImageType = ["ORIGINAL", "PRIMARY"]
        pixels = rng.integers(0, 300, shape, dtype=np.uint16)
        pixels[:, shape[1] // 2 :] += 600  # one bright half: a mask of noise has thousands of rims
        ds.PixelData = pixels.tobytes()
        slices.append(ds)
    return slices


def write(slices: list[Dataset], folder: Path) -> list[Path]:
    """Save `slices` below `folder`; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, ds in enumerate(slices):
        path = folder / f"{ds.SeriesInstanceUID[-8:]}-{number:04}.dcm"
        ds.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def instances(slices: list[Dataset], folder: Path) -> list[Instance]:
    """`slices` as received instances."""
    return [Instance.read(path) for path in write(slices, folder)]


OURS = OwnResults({derived_uid("test", "device")})


def as_own_result(ds: Dataset) -> Dataset:
    """`ds` as if one of the modules that `OURS` knows had made it."""
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    item = Dataset()
    (item.DeviceUID,) = OURS.device_uids
    ds.ContributingEquipmentSequence = [item]
    return ds


TABLES: dict[type, sa.Table] = {
    Workitem: tables.workitem,
    Delivery: tables.delivery,
    WrittenResult: tables.result,
    Study: tables.study,
    Removal: tables.removal,
}


def put(records: Records, *rows: Any) -> None:
    """Have `rows` on record."""
    for row in rows:
        table = TABLES[type(row)]
        assert records.database.transact(partial(insert, table=table, row=row)), row
        records.database.transact(partial(_list, row=row))


def _list(connection: sa.Connection, row: Any) -> None:
    """Have the line of the study follow, as every method of the records does."""
    if isinstance(row, Study):
        listing.add(connection, row.study_uid, row.last_at)
    if isinstance(row, Study | Workitem):
        listing.refresh(connection, row.study_uid)
    if isinstance(row, Delivery):
        of = tables.workitem.c.id == row.workitem_id
        for uid in connection.execute(sa.select(tables.workitem.c.study_uid).where(of)).scalars():
            listing.refresh(connection, uid)


def a_workitem(**values: Any) -> Workitem:
    """A workitem, for tests that need one to be there."""
    plain = Workitem(
        id="1.2.3",
        kind=WorkitemKind.RUN,
        study_uid="1.2",
        module="m",
        version="1",
        title="M",
        weights_sha256="",
        rule=Rule(module="m"),
        rule_key="k",
        state=WorkitemState.SCHEDULED,
        reason="",
        created=0.0,
        inputs={},
        siblings=(),
        verdicts=(),
    )
    return replace(plain, **values)


def a_delivery(workitem_id: str, destination: str = "pacs", **values: Any) -> Delivery:
    """A delivery that is due."""
    due = Delivery(workitem_id, destination, "v", False, DeliveryState.WAITING, owed_at=0.0)
    return replace(due, **values)


def a_result(workitem_id: str, **values: Any) -> WrittenResult:
    """A report."""
    return replace(
        WrittenResult("1.2.9", "v", workitem_id, "sr", DICOM, "1.2.8", Path("sr.dcm")), **values
    )


def a_study(**values: Any) -> Study:
    """A study of three images that is settled."""
    return replace(Study("1.2", "f", 3, 3, first_at=1.0, last_at=2.0), **values)
