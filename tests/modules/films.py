"""Radiographs as DICOM files, for the tests of the chest module."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian

from hilum.dicom.film import Film
from hilum.dicom.instance import Instance
from hilum.dicom.uids import derived_uid

DEPTH = 4095  # 12 bits, as detectors give them


def film_of(values: np.ndarray, folder: Path, name: str = "film", **attributes: Any) -> Film:
    """`values` (rows, columns), bright = dense, as a 12-bit CR image of an adult."""
    low, high = float(values.min()), float(values.max())
    stored = ((values - low) / max(high - low, 1e-6) * DEPTH).round().astype(np.uint16)
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID, ds.Modality = ComputedRadiographyImageStorage, "CR"
    ds.SOPInstanceUID = derived_uid("test", "film", name)
    ds.StudyInstanceUID = derived_uid("test", "film")
    ds.SeriesInstanceUID = derived_uid("test", "film", "series")
    ds.PatientName, ds.PatientID, ds.PatientAge = "Marker^Patient", "marker-id", "054Y"
    ds.PatientBirthDate, ds.PatientSex = "19700101", "O"
    ds.StudyDate, ds.StudyTime, ds.StudyID, ds.AccessionNumber = "20260101", "120000", "1", "A1"
    ds.BodyPartExamined, ds.ViewPosition = "CHEST", "PA"
    ds.InstanceNumber, ds.SeriesNumber = 1, 1
    ds.Rows, ds.Columns = stored.shape
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    if ds.PhotometricInterpretation == "MONOCHROME1":
        stored = DEPTH - stored
    ds.PixelData = stored.tobytes()
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.dcm"
    ds.save_as(path, enforce_file_format=True)
    return Film(Instance.read(path))


def pixels(path: Path) -> np.ndarray:
    """A picture as grey values, float32 (rows, columns)."""
    with Image.open(path) as picture:
        return np.asarray(picture.convert("L"), np.float32)


def held_out(shared: Path, every: int = 1) -> list[np.ndarray]:
    """Real adult frontal films that no network was trained on."""
    folder = shared / "data" / "chest"
    with (folder / "manifest.csv").open(newline="") as table:
        rows = [row for row in csv.DictReader(table) if row["split"] == "val"]
    return [pixels(folder / row["file"]) for row in rows[::every]]


def odd(shared: Path, kind: str) -> list[np.ndarray]:
    """Pictures that must be refused and were not shown to the gate in training."""
    folder = shared / "data" / "chest"
    with (folder / "odd.csv").open(newline="") as table:
        rows = list(csv.DictReader(table))[1::2]
    return [pixels(folder / row["file"]) for row in rows if row["kind"] == kind]
