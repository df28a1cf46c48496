"""Which images may show their patient's name in their pixels, where no header can remove it."""

from pydicom.uid import (
    MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    MultiFrameSingleBitSecondaryCaptureImageStorage,
    MultiFrameTrueColorSecondaryCaptureImageStorage,
    SecondaryCaptureImageStorage,
    UltrasoundImageStorage,
    UltrasoundMultiFrameImageStorage,
    VideoEndoscopicImageStorage,
    VideoMicroscopicImageStorage,
    VideoPhotographicImageStorage,
    VLEndoscopicImageStorage,
    VLPhotographicImageStorage,
)

from hilum.dicom.header import Header, text_of
from hilum.dicom.instance import Instance

USUALLY_TELL = frozenset(
    (
        MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
        MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
        MultiFrameSingleBitSecondaryCaptureImageStorage,
        MultiFrameTrueColorSecondaryCaptureImageStorage,
        SecondaryCaptureImageStorage,
        UltrasoundImageStorage,
        UltrasoundMultiFrameImageStorage,
        "1.2.840.10008.5.1.4.1.1.6",  # Ultrasound Image Storage (Retired)
        "1.2.840.10008.5.1.4.1.1.3",  # Ultrasound Multi-frame Image Storage (Retired)
        VideoEndoscopicImageStorage,
        VideoMicroscopicImageStorage,
        VideoPhotographicImageStorage,
        VLEndoscopicImageStorage,
        VLPhotographicImageStorage,
    )
)
SAFE = ("", "NO")  # values of Burned In Annotation (0028,0301)
CAPTURED = ("SCREEN", "CAPTURE", "REPORT", "DOSE")  # within values of Image Type, as vendors write
CONVERTED = ("DV", "DI", "DF", "WSD", "SD", "SI", "DRW")  # Conversion Type (PS3.3 C.8.6.1)


def telling_pixels(image: Instance) -> str:
    """Why the pixels of `image` may show its patient's name, a clause; "" if nothing says so."""
    stated = text_of(image.header, "BurnedInAnnotation").upper()
    if stated not in SAFE:
        return "the header says that text is burned into the pixels (BurnedInAnnotation)"
    if image.sop_class_uid in USUALLY_TELL:
        return "images of its SOP class usually show the patient's name"
    if _is_captured(image.header):
        return "the header says that it is a capture of a screen or of a film"
    return ""


def _is_captured(header: Header) -> bool:
    kind = text_of(header, "ImageType").upper()
    converted = text_of(header, "ConversionType").upper() in CONVERTED
    return converted or any(word in kind for word in CAPTURED)
