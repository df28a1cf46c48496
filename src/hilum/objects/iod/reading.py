"""Our own reports and withdrawals read back from an archive: what `sr.py` wrote, as numbers.

They come over the network like anything else, so nothing in them is believed that was not looked
at; a document that is broken anywhere counts as not there.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import isfinite

from pydicom import config
from pydicom.dataset import Dataset
from pydicom.uid import UID

from hilum.dicom import codes
from hilum.dicom.dates import day_of
from hilum.dicom.header import HOSTILE
from hilum.dicom.identity import OF_QUALIFIERS, QUALIFIERS
from hilum.findings import CAUTION, Measurement
from hilum.module import ModuleFacts

LITRES = {codes.CUBIC_MILLIMETRE.value: 1e-6, codes.MILLILITRE.value: 1e-3}
MOST_NUMBERS = 1000  # of one report
PATIENT = ("PatientID", "IssuerOfPatientID", "PatientBirthDate")
REPLACES = "PredecessorDocumentsSequence"
WITHDRAWS = "CurrentRequestedProcedureEvidenceSequence"
REJECTIONS = tuple(  # the titles of what an archive is told to hide (IHE IOCM)
    code.value
    for code in (
        codes.REJECTED_FOR_QUALITY,
        codes.REJECTED_FOR_PATIENT_SAFETY,
        codes.INCORRECT_WORKLIST_ENTRY,
    )
)

Key = tuple[str | None, str]  # name of the segment, code of what was measured


@dataclass(frozen=True)
class Number:
    """A measured value with its uncertainty, both in the UCUM `unit`."""

    value: float
    uncertainty: float
    unit: str

    def __post_init__(self) -> None:
        if not all(isfinite(n) and n > 0 for n in (self.value, self.uncertainty)):
            raise ValueError("a value that can be compared is finite and above 0")

    def within(self, unit: str) -> "Number | None":
        """The same value in another unit, None if that is another quantity."""
        if self.unit == unit:
            return self
        if not {self.unit, unit} <= LITRES.keys():
            return None
        scale = LITRES[self.unit] / LITRES[unit]
        return Number(self.value * scale, self.uncertainty * scale, unit)


@dataclass(frozen=True)
class EarlierDocument:
    """A report, or the withdrawal of one, on the study of `day`.

    `names` are the SOP instances that it replaces or takes back. A report that `is_cautious` said
    of itself that it deserves little confidence.
    """

    study_uid: str
    series_uid: str
    sop_instance_uid: str
    day: date
    written: str
    patient: Mapping[str, str]
    module: tuple[str, str, str]
    is_result: bool
    is_cautious: bool
    names: frozenset[str]
    numbers: Mapping[Key, Number]

    @classmethod
    def read(cls, document: Dataset) -> "EarlierDocument | None":
        """Read a document; None for one that is broken in any way."""
        try:
            return cls._read(document)
        except HOSTILE:
            return None

    @classmethod
    def _read(cls, document: Dataset) -> "EarlierDocument | None":
        day, is_report = day_of(document.get("StudyDate")), document.Modality == "SR"
        if day is None or not (is_report or document.Modality == "KO"):
            return None
        return cls(
            study_uid=_uid(document, "StudyInstanceUID"),
            series_uid=_uid(document, "SeriesInstanceUID"),
            sop_instance_uid=_uid(document, "SOPInstanceUID"),
            day=day,
            written=f"{document.get('ContentDate')}{document.get('ContentTime')}",
            # not by `text_of`: what cannot be read must not count as not stated
            patient=_stated(document, PATIENT) | _stated(_issuer(document), OF_QUALIFIERS),
            module=(
                str(document.ManufacturerModelName),
                str(document.SoftwareVersions[0]),
                str(document.DeviceSerialNumber),
            ),
            is_result=is_report and document.CompletionFlag == "COMPLETE",
            is_cautious=is_report and any(c.startswith(CAUTION) for c in _comments(document)),
            names=frozenset(_named(document)),
            numbers=dict(_numbers(document)) if is_report else {},
        )

    def again(self, measurement: Measurement) -> Number | None:
        """The same measurement in this document, in its unit."""
        label = measurement.of.name if measurement.of else None
        number = self.numbers.get((label, measurement.code.value))
        return number and number.within(measurement.unit.value)


def _stated(item: Dataset, keywords: Iterable[str]) -> dict[str, str]:
    return {keyword: str(item.get(keyword) or "").strip() for keyword in keywords}


def _issuer(document: Dataset) -> Dataset:
    """What it says of the issuer of the patient ID beside its name; nothing where it does not."""
    items: Sequence[Dataset] = document.get(QUALIFIERS) or ()
    return items[0] if items else Dataset()


def made_by(module: ModuleFacts) -> tuple[str, str, str]:
    """What a report of `module` says of its maker, as `EarlierDocument.module`."""
    return module.name[:64], module.version[:64], module.weights_sha256[:64]


def _uid(document: Dataset, keyword: str) -> str:
    value = UID(str(document[keyword].value), config.IGNORE)
    if not value.is_valid or not value:
        raise ValueError(f"{keyword} is no UID")
    return str(value)


def _named(document: Dataset) -> Iterator[str]:
    if document.Modality == "KO" and _name(document) not in REJECTIONS:
        return  # it names them for another reason, such as to say what a reader thinks of them
    for study in document.get(WITHDRAWS if document.Modality == "KO" else REPLACES, []):
        for series in study.ReferencedSeriesSequence:
            for instance in series.ReferencedSOPSequence:
                yield str(instance.ReferencedSOPInstanceUID)


def _comments(document: Dataset) -> Iterator[str]:
    for section in document.ContentSequence:
        if _name(section) == codes.QUALITATIVE_EVALUATIONS.value:
            for item in section.ContentSequence:
                if _name(item) == codes.COMMENT.value:
                    yield str(item.TextValue)


def _numbers(document: Dataset) -> Iterator[tuple[Key, Number]]:
    """Every number that has an uncertainty, in the groups of segments and in that of the whole."""
    count = 0
    for label, items in _groups(document):
        for item in _numeric(items):
            uncertainty = _uncertainty(item)
            if uncertainty is not None:
                count += 1
                if count > MOST_NUMBERS:
                    raise ValueError("more numbers than any report of ours has")
                value, unit = _measured(item)
                if min(value, uncertainty) > 0:  # others, such as an asymmetry, are not followed
                    yield (label, _name(item)), Number(value, uncertainty, unit)


def _groups(document: Dataset) -> Iterator[tuple[str | None, Iterable[Dataset]]]:
    for section in document.ContentSequence:
        name = _name(section)
        if name == codes.DERIVED_IMAGING_MEASUREMENTS.value:
            yield None, section.ContentSequence
        elif name == codes.IMAGING_MEASUREMENTS.value:
            for group in section.ContentSequence:
                yield _label(group), group.ContentSequence


def _label(group: Dataset) -> str:
    for item in group.ContentSequence:
        if _name(item) == codes.TRACKING_IDENTIFIER.value:
            return str(item.TextValue)
    raise ValueError("a group without its name")


def _numeric(items: Iterable[Dataset]) -> list[Dataset]:
    return [item for item in items if item.ValueType == "NUM"]


def _measured(item: Dataset) -> tuple[float, str]:
    """Value and unit of a NUM item."""
    measured = item.MeasuredValueSequence[0]
    unit = measured.MeasurementUnitsCodeSequence[0].CodeValue
    return float(measured.NumericValue), str(unit)


def _uncertainty(item: Dataset) -> float | None:
    """The uncertainty among the properties of a NUM item, if it is in the unit of the item."""
    for inner in _numeric(item.get("ContentSequence", [])):
        if _name(inner) == codes.MEASUREMENT_UNCERTAINTY.value:
            value, unit = _measured(inner)
            return value if unit == _measured(item)[1] else None
    return None


def _name(item: Dataset) -> str:
    return str(item.ConceptNameCodeSequence[0].CodeValue)
