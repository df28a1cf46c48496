"""What the images of all sample exams have in common: the file format, the place and the day."""

from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from hilum.dicom.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME


def blank(sop_class: UID) -> FileDataset:
    """An image of `sop_class` with nothing in it but its file meta group (PS3.10 7.1)."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = sop_class
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID = sop_class
    return dataset


def describe_visit(dataset: Dataset, number: int) -> None:
    """The fictitious hospital, and the visit of fictitious patient `number`."""
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.StudyID = str(number)
    dataset.StudyDate = "20240312"
    dataset.ReferringPhysicianName = "Referrer^Sample"
    dataset.InstitutionName = "Sample Hospital"
    dataset.DeviceSerialNumber = "1"
    dataset.SoftwareVersions = IMPLEMENTATION_VERSION_NAME
