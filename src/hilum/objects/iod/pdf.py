"""The Encapsulated PDF (PS3.3 A.45.1): the report that people print and file."""

from pydicom.dataset import Dataset
from pydicom.uid import EncapsulatedPDFStorage

from hilum.dicom import codes
from hilum.dicom.text import is_valid
from hilum.objects.iod import common
from hilum.objects.kinds import Writing
from hilum.objects.report import Report
from hilum.objects.sheet import typeset
from hilum.results import DICOM


def write(report: Report) -> Dataset:
    """The printed pages of `report`."""
    analysis = report.analysis
    dataset = Dataset()
    dataset.SOPClassUID = EncapsulatedPDFStorage
    dataset.Modality = "DOC"
    dataset.ConversionType = "WSD"
    dataset.BurnedInAnnotation = "YES"  # it names the patient
    dataset.AcquisitionDateTime = _acquired(report)
    dataset.DocumentTitle = common.description(analysis.module.title, "pdf")
    dataset.ConceptNameCodeSequence = [codes.item(codes.IMAGING_MEASUREMENT_REPORT)]
    dataset.VerificationFlag = "UNVERIFIED"
    sources = [common.reference(i.sop_class_uid, i.sop_instance_uid) for i in analysis.instances]
    for source in sources:
        source.PurposeOfReferenceCodeSequence = [codes.item(codes.SOURCE_IMAGE)]
    if sources:
        dataset.SourceInstanceSequence = sources
    common.stamp(dataset, analysis, "pdf")
    document = typeset.pdf(report, dataset)
    dataset.MIMETypeOfEncapsulatedDocument = "application/pdf"
    dataset.EncapsulatedDocumentLength = len(document)
    dataset.EncapsulatedDocument = document + b"\0" * (len(document) % 2)
    return dataset


def _acquired(report: Report) -> str | None:
    """The time at which the analysed images were taken, as far as they state it."""
    series = report.analysis.series
    if series is None:
        return None
    header = series.header
    stated = str(header.get("AcquisitionDateTime") or "")
    if not stated:
        date = str(header.get("AcquisitionDate") or "")
        stated = f"{date}{header.get('AcquisitionTime') or ''}" if date else ""
    return stated if is_valid("DT", stated) and stated[:8].isdigit() else None


class PrintedReport:
    """The kind "pdf"."""

    media_type = DICOM
    refers_to: tuple[str, ...] = ()

    def write(self, writing: Writing) -> list[Dataset]:
        return [write(writing.report)]
