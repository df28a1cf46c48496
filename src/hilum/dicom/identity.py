"""Whose an image is: what names its patient and study, and when two images name different ones.

A result carries the patient and study of the images that it was made from, never what most images
of a study say. All comparisons are of decoded text (PS3.5 6.1), as DICOM compares it (PS3.5 6.2,
PS3.4 C.2.2.2.1): without padding, case-sensitive but for names of persons, whose component groups
(alphabetic, ideographic, phonetic) are compared one by one.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from pydicom import config
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from hilum.dicom.doubt import DIFFERENT
from hilum.dicom.header import HOSTILE, text_of
from hilum.dicom.uids import derived_uid
from hilum.errors import IdentityError

if TYPE_CHECKING:
    from hilum.dicom.instance import Instance

# Patient and study modules (PS3.3 C.7.1.1, C.7.2.1): what a result shares with its images.
PATIENT_AND_STUDY = (
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "PatientBirthDate",
    "PatientSex",
    "PatientAge",
    "PatientSize",
    "PatientWeight",
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "StudyDescription",
    "AccessionNumber",
    "ReferringPhysicianName",
)
TYPE_2 = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "ReferringPhysicianName",
)
IDENTIFYING = (  # in a result as in its images, right or wrong: archives file by them
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "StudyInstanceUID",
    "AccessionNumber",
)
QUALIFIERS = "IssuerOfPatientIDQualifiersSequence"
OF_QUALIFIERS = ("UniversalEntityID", "UniversalEntityIDType")
SHOWN = 8  # of a key's last digits
MOST_SPELLINGS = 32  # ways in which the images of one patient may write who it is


@dataclass(frozen=True)
class Patient:
    """The patient as one image states it, made comparable; "" and () are what it does not state.

    `issuer` is the local name, the universal ID and its type (PS3.3 Table 10-18), equal to the
    parts of HL7 PID-3.4. `name` holds the three component groups (PS3.5 6.2.1).
    """

    id: str
    issuer: tuple[str, str, str]
    name: tuple[str, ...]
    birth_date: str

    @classmethod
    def of(cls, header: Dataset) -> "Patient":
        """What `header` states; an element that cannot be read is one that is not there."""
        date = text_of(header, "PatientBirthDate").replace(".", "")  # as ACR-NEMA wrote dates
        return cls(
            _same(text_of(header, "PatientID")),
            (_same(text_of(header, "IssuerOfPatientID")), *qualifiers_of(header)),
            _groups(text_of(header, "PatientName")),
            date.strip(),
        )

    def differences(self, other: "Patient") -> tuple[str, ...]:
        """The attributes that say that `other` is somebody else, by keyword; () if none do.

        They are not the same where stated IDs or stated issuers differ, or both name and birth
        date. An empty ID goes with a stated one only under the same stated name and birth date;
        where neither states an ID, one other name or birth date is enough.
        """
        differ = []
        if _differ(self.id, other.id):
            differ.append("PatientID")
        if any(map(_differ, self.issuer, other.issuer)):
            differ.append("IssuerOfPatientID")
        name, date = self.name_differs(other), self.birth_date_differs(other)
        about = [("PatientName", name), ("PatientBirthDate", date)]
        if (name and date) or not (self.id or other.id):
            differ += [keyword for keyword, differs in about if differs]
        elif bool(self.id) != bool(other.id) and not self._is_namesake(other):
            differ.append("PatientID")
        return tuple(differ)

    def filed_apart(self, other: "Patient") -> tuple[str, ...]:
        """Why an archive takes `other` for somebody else, by keyword: stated ID or stated issuer.

        Archives file by these alone; see `differences` for whether two images are of one person.
        """
        differ = ["PatientID"] if _differ(self.id, other.id) else []
        if any(map(_differ, self.issuer, other.issuer)):
            differ.append("IssuerOfPatientID")
        return tuple(differ)

    def birth_date_differs(self, other: "Patient") -> bool:
        """Whether both state a birth date, and not the same one."""
        return _differ(self.birth_date, other.birth_date)

    def name_differs(self, other: "Patient") -> bool:
        """Whether a group of the name that both state is not the same."""
        return any(_differ(a, b) for a, b in zip(self.name, other.name, strict=True))

    def _is_namesake(self, other: "Patient") -> bool:
        """Whether both state a name and a birth date, the same ones."""
        common = any(a and b for a, b in zip(self.name, other.name, strict=True))
        born = bool(self.birth_date) and self.birth_date == other.birth_date
        return common and born and not self.name_differs(other)


@dataclass(frozen=True)
class Identity:
    """Whose an image is and to which study it belongs, made comparable."""

    patient: Patient
    study_uid: str
    accession_number: str

    @classmethod
    def of(cls, header: Dataset) -> "Identity":
        accession = _same(text_of(header, "AccessionNumber"))
        return cls(Patient.of(header), text_of(header, "StudyInstanceUID"), accession)

    @property
    def key(self) -> str:
        """A number that stands for it where no patient data may stand."""
        patient = self.patient
        parts = (patient.id, *patient.issuer, *patient.name, patient.birth_date)
        return derived_uid("identity", *parts, self.study_uid, self.accession_number)


def number_of(key: str) -> str:
    """How the key of an `Identity` is shown to a person, who may type it."""
    return key[-SHOWN:]


_OTHER_PERSON = (Patient.name_differs, Patient.birth_date_differs)


def disagreement(patients: Iterable[Patient]) -> tuple[str, ...]:
    """The attributes by which `patients` are not all the same one, by keyword; () if they are.

    All are compared with each other: an image without issuer may go with those of either of two
    issuers, which makes the two no less different. Images that leave much empty may differ in the
    name here and in the birth date there; a result that took both would be of nobody.
    """
    distinct = list(dict.fromkeys(patients))
    if len(distinct) > MOST_SPELLINGS:
        return ("PatientID", "PatientName")
    pairs = list(combinations(distinct, 2))
    differ = tuple(dict.fromkeys(keyword for a, b in pairs for keyword in a.differences(b)))
    if not differ and all(any(told(a, b) for a, b in pairs) for told in _OTHER_PERSON):
        return ("PatientName", "PatientBirthDate")
    return differ


def of_patient(key: str, images: Iterable["Instance"]) -> list["Instance"]:
    """Those of `images` that may be of the patient whom the `Identity` with `key` names.

    All of them where none has that identity.
    """
    images = list(images)
    named = next((i.patient for i in images if Identity.of(i.header).key == key), None)
    if named is None:
        return images
    return [image for image in images if not image.patient.differences(named)]


def label_of(images: Iterable["Instance"]) -> str:
    """A number that changes with any patient or study attribute of `images`."""
    return derived_uid("label", *sorted({image.label for image in images}))


@dataclass(frozen=True)
class Judgement:
    """Whether images that are analysed together are of one patient, and the rest of their study.

    `within` are the attributes by which the analysed images name different patients, `beside` those
    by which others of the study differ from them; both by keyword, () where all agree.
    """

    within: tuple[str, ...]
    beside: tuple[str, ...]

    @property
    def caution(self) -> str:
        """What is to be said where the others differ, "" where they do not."""
        if not self.beside:
            return ""
        return f"other images of the study name another patient ({', '.join(self.beside)})"


def judge(analysed: Iterable[Patient], others: Iterable[Patient] = ()) -> Judgement:
    """Compare the patients of the analysed images, then those of the others with them."""
    inside = list(dict.fromkeys(analysed))
    within = disagreement(inside)
    if within:
        return Judgement(within, ())
    beside = [disagreement([*inside, other]) for other in dict.fromkeys(others)]
    return Judgement((), tuple(dict.fromkeys(keyword for differ in beside for keyword in differ)))


def attributes(analysed: Sequence["Instance"], others: Iterable["Instance"] = ()) -> Dataset:
    """Patient and study attributes of a result on the images `analysed`.

    They are those of the first image. What is empty there comes from the others that were analysed,
    then from `others`, images of other series of the study, which must state the same Patient ID
    and agree. Type 2 attributes (PS3.5 7.4.3) are always present.

    Raises
    ------
    IdentityError
        The analysed images name different patients.
    """
    patients = list(dict.fromkeys(image.patient for image in analysed))
    if differ := disagreement(patients):
        raise IdentityError(f"{DIFFERENT} ({', '.join(differ)})")
    stated = [image.header for image in (*analysed, *_same_patient(patients, others))]
    result = Dataset()
    for keyword in PATIENT_AND_STUDY:
        elements = (_element(header, keyword) for header in stated if text_of(header, keyword))
        element = next(filter(None, elements), None)
        if element is not None:
            result.add(element)
        elif keyword in TYPE_2:
            setattr(result, keyword, None)
    qualifiers = next(filter(any, map(qualifiers_of, stated)), None)
    if qualifiers:
        setattr(result, QUALIFIERS, [_item_of(qualifiers)])
    return result


def _item_of(qualifiers: Sequence[str]) -> Dataset:
    item = Dataset()
    for keyword, value in zip(OF_QUALIFIERS, qualifiers, strict=True):
        setattr(item, keyword, value or None)
    return item


def _element(header: Dataset, keyword: str) -> DataElement | None:
    """The element by the dictionary's VR, whatever the object states; its value as it is.

    None for one that has no value in that VR, such as a weight in letters.
    """
    element = header[Tag(keyword)]
    vr = dictionary_VR(element.tag)
    if vr == element.VR:
        return element
    try:
        text = text_of(header, keyword)
        return DataElement(element.tag, vr, text, validation_mode=config.IGNORE)
    except HOSTILE:
        return None


def _same_patient(patients: Sequence[Patient], others: Iterable["Instance"]) -> list["Instance"]:
    """Those of `others` that state the ID which `patients` state, and contradict none of them.

    None at all where they contradict each other: nobody can say which of them is meant.
    """
    ids = {patient.id for patient in patients if patient.id}
    same = [o for o in others if o.patient.id in ids and not disagreement([*patients, o.patient])]
    return [] if disagreement(image.patient for image in same) else same


def qualifiers_of(header: Dataset) -> tuple[str, str]:
    """Universal ID and type of the issuer (PS3.3 Table 10-18)."""
    try:
        items = list(header.get(QUALIFIERS) or ())
        first, second = (_same(text_of(items[0], keyword)) for keyword in OF_QUALIFIERS)
    except HOSTILE:
        return "", ""
    return first, second


def _groups(name: str) -> tuple[str, str, str]:
    """The three component groups of a name, comparable: PS3.4 C.2.2.2.1 leaves case to us.

    Empty components at the end of a group, and spaces around components, mean nothing (PS3.5 6.2).
    """
    groups = []
    for group in name.split("=")[:3]:
        components = [" ".join(_same(part).split()) for part in group.split("^")]
        groups.append("^".join(components).rstrip("^").casefold())
    first, second, third = (*groups, "", "")[:3]
    return first, second, third


def _same(text: str) -> str:
    """One form of what Unicode can write in several."""
    return unicodedata.normalize("NFC", text).strip(" \0")


def _differ(one: str, other: str) -> bool:
    return bool(one and other) and one != other
