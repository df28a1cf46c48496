"""One file of a result, as it is kept, handed to destinations and asked for again."""

import mimetypes
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path

DICOM = "application/dicom"  # the media type of a DICOM Part 10 file (PS3.18 8.7.3)
FHIR = "application/fhir+json"  # and that of FHIR resources (FHIR R4 2.21.0.1)
JSON = "application/json"
HL7 = "x-application/hl7-v2+er7"  # messages of HL7 version 2, with bars and hats
TYPES = mimetypes.MimeTypes()  # without the tables of the machine: a name must not change
SOP_CLASSES = {  # of our result objects by kind, and of the note that takes a result back
    "seg": "1.2.840.10008.5.1.4.1.1.66.4",
    "sr": "1.2.840.10008.5.1.4.1.1.88.34",
    "sc": "1.2.840.10008.5.1.4.1.1.7",
    "pdf": "1.2.840.10008.5.1.4.1.1.104.1",
    "ko": "1.2.840.10008.5.1.4.1.1.88.59",
}
IMAGE = "image"  # the kind of analysed images that are sent along with a result


class WithdrawalReason(StrEnum):
    """Why Hilum itself takes a result back; where a person does, it is what that person says."""

    CORRECTED = "The patient or study data of these images were corrected."
    OTHER_OBJECTS = "The destination receives other objects of this result in its place."
    ANALYSED_AGAIN = "It was cancelled while it was sent, and the images are analysed again."


def suffix_of(media_type: str) -> str:
    """How the name of a file of that type ends, such as ".dcm"; "" where that is not known."""
    return ".dcm" if media_type == DICOM else TYPES.guess_extension(media_type) or ""


def is_one_of(media_type: str, patterns: Iterable[str]) -> bool:
    """Whether a media type is among `patterns`, in which "*" stands for any text."""
    return any(fnmatchcase(media_type, pattern) for pattern in patterns)


@dataclass(frozen=True)
class Result:
    """A result object, or an analysed image that goes along with a result.

    `kind` is one of the group `hilum.objects`, or `IMAGE`. `identity` is the SOP Instance UID of a
    DICOM object, and a derived UID of any other; sent again, the same object has the same identity.
    """

    kind: str
    media_type: str
    identity: str
    path: Path
    study_uid: str
    workitem_id: str
