"""Radiographs made by the tests themselves, and their way through encoders."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian

from hilum.dicom.film import Film
from hilum.dicom.instance import Instance
from hilum.dicom.uids import derived_uid

SHAPE = (96, 80)


def scene(bits: int = 12, signed: bool = False) -> np.ndarray:
    """Something smooth with noise that uses the whole range of `bits`."""
    rng = np.random.default_rng(bits)
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    smooth = np.sin(rows / 30) * np.cos(columns / 25) + 0.02 * rng.normal(size=SHAPE)
    smooth = (smooth - smooth.min()) / np.ptp(smooth) * (2**bits - 1)
    shifted = smooth.round() - (2 ** (bits - 1) if signed else 0)
    kind = ("i" if signed else "u") + ("1" if bits <= 8 else "2")
    return np.asarray(shifted, kind)


def radiograph(
    pixels: np.ndarray, bits: int = 12, name: str = "one", **attributes: object
) -> Dataset:
    """A DX image of `pixels`; `attributes` are set or, if None, deleted."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID = DigitalXRayImageStorageForPresentation
    ds.StudyInstanceUID = derived_uid("test", "radiograph")
    ds.SeriesInstanceUID = derived_uid("test", "radiograph", "series")
    ds.SOPInstanceUID = derived_uid("test", "radiograph", name)
    ds.Modality, ds.ViewPosition = "DX", "PA"
    ds.PatientName, ds.PatientID = "Marker^Patient", "marker-id"
    ds.PatientBirthDate, ds.PatientSex = "19700101", "O"
    ds.StudyDate, ds.StudyTime = "20260101", "120000"
    ds.Rows, ds.Columns = pixels.shape[:2]
    ds.ImagerPixelSpacing = [0.4, 0.4]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated = 8 * pixels.dtype.itemsize
    ds.BitsStored, ds.HighBit = bits, bits - 1
    ds.PixelRepresentation = int(pixels.dtype.kind == "i")
    data = pixels.tobytes()
    ds.add_new("PixelData", "OB" if pixels.itemsize == 1 else "OW", data + b"\0" * (len(data) % 2))
    for keyword, value in attributes.items():
        if value is None:
            delattr(ds, keyword)
        else:
            setattr(ds, keyword, value)
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    return ds


def saved(ds: Dataset, path: Path) -> Path:
    ds.save_as(path, enforce_file_format=True)
    return path


def film_at(path: Path) -> Film:
    return Film(Instance.read(path))


def film(ds: Dataset, folder: Path) -> Film:
    """`ds` as a received film."""
    return film_at(saved(ds, folder / "film.dcm"))


def by_dcmtk(program: str, path: Path, *options: str, suffix: str = ".out") -> Path:
    """What a DCMTK program makes of `path`."""
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed")
    made = path.with_suffix(suffix)
    subprocess.run([found, *options, path, made], check=True, capture_output=True)
    return made
