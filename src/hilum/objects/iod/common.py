"""What all result objects share: patient, study, series, equipment, dates and derived UIDs."""

from collections.abc import Iterable, Sequence

from pydicom.charset import convert_encodings
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import UID, ExplicitVRLittleEndian

from hilum.dicom import codes
from hilum.dicom.identity import IDENTIFYING, PATIENT_AND_STUDY, TYPE_2
from hilum.dicom.instance import Instance
from hilum.dicom.text import LATIN_1, UTF_8, cleaned, is_valid
from hilum.dicom.uids import (
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION_NAME,
    MANUFACTURER,
    derived_uid,
)
from hilum.module import ModuleFacts
from hilum.objects.analysis import Analysis

# High numbers, else viewers open our objects before the images.
SERIES_NUMBERS = {
    "seg": 9001,
    "sr": 9002,
    "sc": 9003,
    "pdf": 9004,
    "ko": 9005,
    "pm": 9006,
    "assessment": 9007,
}
OTHER_SERIES_NUMBER = 9010  # of kinds that other packages write
OWN_SERIES_NUMBER = 9100  # and above: of objects that modules write themselves
NAMES = {
    "seg": "segmentation",
    "sr": "measurements",
    "sc": "picture",
    "pdf": "report",
    "ko": "withdrawn",
    "assessment": "assessment",
    "own": "result",
    "pm": "map",
    "fhir": "results",
}
NOT_FOR_DIAGNOSIS = "not for diagnosis"


def stamp(
    dataset: Dataset,
    analysis: Analysis,
    kind: str,
    variant: str = "",
    number: int = 1,
    texts: Sequence[str] = (),
) -> Dataset:
    """Write the shared modules onto `dataset`, whose SOP Class UID and Modality are set.

    `variant` tells objects of one kind and one analysis apart, such as the two SEG encodings; the
    Instance Number tells those apart that belong to one series. `texts` are in the object and not
    in the analysis, and must fit the character set, too.
    """
    _identify(dataset, analysis, kind, variant, number)
    _patient_and_study(dataset, analysis, texts)
    _dates(dataset, analysis)
    _equipment(dataset, analysis)
    return dataset


def sop_instance_uid(analysis: Analysis, kind: str, variant: str = "", number: int = 1) -> str:
    """The UID of one object, by the run (`hilum.runs`), its kind, variant and number.

    The images and the module are in it once more, for who writes objects without a run.
    """
    images = sorted(i.sop_instance_uid for s in analysis.all_series for i in s.instances)
    module = analysis.module
    made_by = (module.name, module.version, module.weights_sha256)
    made_for = (analysis.study.uid, analysis.workitem_id)
    return derived_uid("instance", *made_for, *made_by, kind, variant, str(number), *images)


def series_instance_uid(first: str) -> str:
    """The UID of the series whose first (mostly only) instance has the SOP Instance UID `first`.

    A predecessor's series thus follows from its instance UID.
    """
    return derived_uid("series", first)


def reference(sop_class_uid: str, sop_instance_uid: str) -> Dataset:
    """SOP Instance Reference Macro (PS3.3 Table 10-11)."""
    item = Dataset()
    item.ReferencedSOPClassUID = sop_class_uid
    item.ReferencedSOPInstanceUID = sop_instance_uid
    return item


def series_reference(series_uid: str, references: Sequence[Dataset], keyword: str) -> Dataset:
    """One item of a Referenced Series Sequence; its instances stand under `keyword`."""
    item = Dataset()
    item.SeriesInstanceUID = series_uid
    setattr(item, keyword, list(references))
    return item


def predecessors(analysis: Analysis, sop_class_uid: str) -> list[Dataset]:
    """References to the object of the same class in the result that this one replaces."""
    return [reference(c, uid) for c, uid in analysis.predecessor if c == sop_class_uid]


def body_part(analysis: Analysis) -> str | None:
    """The body part of the analysed images, of what was found, or of the study's images."""
    chosen = [s.header.get("BodyPartExamined") for s in analysis.all_series]
    about = (code for finding in analysis.findings.items for code in finding.codes())
    found = [codes.BODY_PARTS.get(code) for code in about]
    others = [s.header.get("BodyPartExamined") for s in analysis.study.series]
    usable = (str(p) for p in (*chosen, *found, *others) if p and is_valid("CS", str(p)))
    return next(usable, None)


def laterality(images: Sequence[Instance]) -> str | None:
    """The side that all of `images` show, as far as they say."""
    keywords = ("Laterality", "ImageLaterality")
    stated = {next(filter(None, map(image.header.get, keywords)), None) for image in images}
    side = stated.pop() if len(stated) == 1 else None
    return side if side in ("L", "R") else None


def _identify(dataset: Dataset, analysis: Analysis, kind: str, variant: str, number: int) -> None:
    uid = sop_instance_uid(analysis, kind, variant, number)
    dataset.SOPInstanceUID = uid
    dataset.SeriesInstanceUID = series_instance_uid(sop_instance_uid(analysis, kind, variant))
    dataset.SeriesNumber = SERIES_NUMBERS.get(kind, OTHER_SERIES_NUMBER)
    dataset.InstanceNumber = number
    dataset.SeriesDescription = description(analysis.module.title, kind)
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = UID(uid)
    meta.TransferSyntaxUID = _transfer_syntax(dataset)
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    write_file_meta_info(DicomBytesIO(), meta, enforce_standard=True)  # sets the group length
    dataset.file_meta = meta
    dataset.preamble = b"\x00" * 128


def _transfer_syntax(dataset: Dataset) -> UID:
    """That of the pixels where they are encoded already."""
    given = getattr(dataset, "file_meta", FileMetaDataset()).get("TransferSyntaxUID")
    return UID(given or ExplicitVRLittleEndian)


def description(title: str, kind: str) -> str:
    """Series Description: at most 64 characters, whatever the title's length.

    It begins with what tells the results of one run apart, because viewers cut its end off.
    """
    end = f" - {NOT_FOR_DIAGNOSIS}"
    return f"AI {NAMES.get(kind, kind)}: {title}"[: 64 - len(end)].rstrip() + end


def _patient_and_study(dataset: Dataset, analysis: Analysis, texts: Sequence[str]) -> None:
    agreed = analysis.patient_and_study
    for element in agreed:
        if element.keyword in IDENTIFYING or element.VR == "SQ" or element.is_empty:
            dataset[element.tag] = element
        elif usable := _usable(element):
            setattr(dataset, element.keyword, usable)
        elif element.keyword in TYPE_2:
            setattr(dataset, element.keyword, None)
    characters = _character_set(dataset, (*_own_texts(analysis), *texts), analysis)
    if characters is None:
        dataset.pop("SpecificCharacterSet", None)
    else:
        dataset.SpecificCharacterSet = characters


def _usable(element: DataElement) -> str:
    """What a result can say of a value that identifies nobody; a broken one is no reason to fail.

    A date as ACR-NEMA wrote it, with dots, is the same date.
    """
    value = element.value
    values = [str(v) for v in (value if element.VM > 1 else [value])]
    if element.VR == "DA":
        values = [v.replace(".", "") for v in values]
    usable = cleaned(element.VR, values)
    if element.keyword == "PatientSex" and usable not in ("M", "F", "O"):
        return ""
    return usable


def _character_set(
    dataset: Dataset, texts: Sequence[str], analysis: Analysis
) -> str | list[str] | None:
    """The source's character set if it can hold every text of our objects, else UTF-8."""
    copied = (str(dataset.get(keyword) or "") for keyword in PATIENT_AND_STUDY)
    text = "".join((*copied, *texts))
    declared = analysis.series or max(analysis.study.series, key=lambda s: len(s.instances))
    source = declared.header.get("SpecificCharacterSet")
    if not source:
        return None if text.isascii() else LATIN_1 if _can_encode(LATIN_1, text) else UTF_8
    if not _can_encode(source, text):
        return UTF_8
    return source if isinstance(source, str) else list(source)


def _can_encode(character_set: str | Sequence[str], text: str) -> bool:
    try:
        named = character_set if isinstance(character_set, str) else list(character_set)
        encodings = convert_encodings(named)
    except LookupError:
        return False
    return all(any(_fits(c, encoding) for encoding in encodings) for c in sorted(set(text)))


def _fits(character: str, encoding: str) -> bool:
    try:
        character.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _own_texts(analysis: Analysis) -> Iterable[str]:
    """Every text of ours that an object holds, the meanings of codes among them."""
    module = analysis.module
    yield from (module.title, module.name, module.version)
    yield from analysis.reasons
    yield from analysis.settings
    yield from (used.title for used in analysis.used.values())
    yield analysis.incomplete or ""
    for finding in analysis.findings.items:
        yield from finding.texts()
        yield from (code.meaning for code in finding.codes())


def _dates(dataset: Dataset, analysis: Analysis) -> None:
    date = analysis.created.strftime("%Y%m%d")
    time = analysis.created.strftime("%H%M%S")
    dataset.InstanceCreationDate = dataset.SeriesDate = dataset.ContentDate = date
    dataset.InstanceCreationTime = dataset.SeriesTime = dataset.ContentTime = time


def _equipment(dataset: Dataset, analysis: Analysis) -> None:
    module = analysis.module
    dataset.Manufacturer = MANUFACTURER
    dataset.ManufacturerModelName = module.name[:64]
    dataset.SoftwareVersions = [module.version[:64], IMPLEMENTATION_VERSION_NAME]
    dataset.DeviceSerialNumber = module.weights_sha256[:64]
    modules = dict.fromkeys((module, *analysis.used.values()))
    dataset.ContributingEquipmentSequence = [_algorithm(one, analysis) for one in modules]


def _algorithm(module: ModuleFacts, analysis: Analysis) -> Dataset:
    algorithm = Dataset()
    algorithm.PurposeOfReferenceCodeSequence = [codes.item(codes.PROCESSING_ALGORITHM)]
    algorithm.Manufacturer = MANUFACTURER
    algorithm.ManufacturerModelName = module.name[:64]
    algorithm.SoftwareVersions = module.version[:64]
    algorithm.DeviceSerialNumber = module.weights_sha256[:64]
    algorithm.DeviceUID = module.device_uid
    algorithm.ContributionDateTime = analysis.created.strftime("%Y%m%d%H%M%S")
    algorithm.ContributionDescription = f"{module.title}; weights SHA-256 in Device Serial Number"
    return algorithm
