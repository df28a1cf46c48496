"""What PS3.15 Table E.1-1 (edition 2026c) does with an attribute, and what stays beside it."""

from enum import Enum

from dicomanonymizer.dicom_anonymization_databases import dicomfields_2026c as table
from pydicom.datadict import tag_for_keyword

EDITION = "2026c"


class Action(Enum):
    """What becomes of an attribute."""

    LEFT_OUT = "left out"
    RENAMED = "renamed"  # a UID, by an alias
    NUMBER = "number"  # a number, written anew
    TERM = "term"  # one of the words that the standard lists
    SEQUENCE = "sequence"  # its items, attribute by attribute


NUMBERS = (
    # how it was made
    "CTDIvol DataCollectionDiameter DistanceSourceToDetector DistanceSourceToPatient "
    "EchoNumbers EchoTime EchoTrainLength EffectiveEchoTime Exposure ExposureInuAs ExposureTime "
    "FlipAngle GantryDetectorTilt ImagingFrequency InversionTime KVP MagneticFieldStrength "
    "NumberOfAverages PixelBandwidth ReconstructionDiameter RepetitionTime SliceThickness "
    "SpiralPitchFactor TableHeight XRayTubeCurrent DiffusionBValue "
    "DiffusionGradientOrientation BodyPartThickness CompressionForce FrameReferenceTime "
    "ActualFrameDuration "
    # where it lies
    "AcquisitionNumber ImageOrientationPatient ImagePositionPatient ImagerPixelSpacing "
    "InStackPositionNumber InstanceNumber NominalScannedPixelSpacing NumberOfSlices "
    "NumberOfTemporalPositions NumberOfTimeSlices PixelAspectRatio PixelSpacing SeriesNumber "
    "SliceLocation SpacingBetweenSlices TemporalPositionIdentifier TemporalPositionIndex "
    "DimensionIndexValues "
    # what its pixels are
    "BitsAllocated BitsStored Columns HighBit NumberOfFrames PixelRepresentation "
    "RescaleIntercept RescaleSlope Rows SamplesPerPixel WindowCenter WindowWidth"
)
SEQUENCES = (
    "SharedFunctionalGroupsSequence PerFrameFunctionalGroupsSequence PixelMeasuresSequence "
    "PlanePositionSequence PlaneOrientationSequence PixelValueTransformationSequence "
    "FrameContentSequence MREchoSequence MRDiffusionSequence DiffusionGradientDirectionSequence "
    "FrameVOILUTSequence"
)
TERMS = {
    "DecayCorrection": "NONE START ADMIN",
    "DiffusionDirectionality": "DIRECTIONAL BMATRIX ISOTROPIC NONE",
    "ImageLaterality": "R L U B",
    "ImageType": "ORIGINAL DERIVED PRIMARY SECONDARY AXIAL LOCALIZER VOLUME MPR PROJECTION M P R I "
    "ND NORM DIS2D DIS3D MAGNITUDE PHASE REAL IMAGINARY M_SE M_FFE M_IR ADC TRACEW DIFFUSION FA "
    "AVERAGE MOSAIC REFORMATTED MIN_IP MAX_IP RESAMPLED WATER FAT IN_PHASE OUT_PHASE NONE OTHER",
    "Laterality": "R L",
    "LossyImageCompression": "00 01",
    "MRAcquisitionType": "2D 3D",
    "Modality": "CR CT DX IO IVOCT MG MR NM OCT OPT PT PX RF RG TG XA",
    "PatientOrientation": "A P R L H F AR AL AH AF PR PL PH PF HR HL HA HP FR FL FA FP RA RP RH "
    "RF LA LP LH LF",
    "PatientPosition": "HFP HFS HFDR HFDL FFDR FFDL FFP FFS LFP LFS RFP RFS AFDR AFDL PFDR PFDL",
    "PhotometricInterpretation": "MONOCHROME1 MONOCHROME2",
    "PixelIntensityRelationship": "LIN LOG DISP",
    "PresentationLUTShape": "IDENTITY INVERSE",
    "RescaleType": "HU US OD Z_EFF ED",
    "ScanOptions": "PER RG CG PPG FC PFF PFP SP FS",
    "ScanningSequence": "SE IR GR EP RM",
    "SequenceVariant": "SK MTC SS TRSS SP MP OSP NONE",
    "Units": "CNTS NONE CM2 PCNT CPS BQML MGMINML UMOLMINML MLMING MLG 1CM UMOLML PROPCNTS GML",
    "VOILUTFunction": "LINEAR LINEAR_EXACT SIGMOID",
    "ViewPosition": "AP PA LL RL RLD LLD RLO LLO LAO RAO LPO RPO CC MLO ML LM LMO XCCL XCCM",
}
BODY_PARTS = (
    "ABDOMEN ABDOMENPELVIS ANKLE ARM BRAIN BREAST CERVIX CHEST CHESTABDOMEN CHESTABDPELVIS "
    "CLAVICLE CSPINE ELBOW EXTREMITY EYE FEMUR FINGER FOOT HAND HEAD HEADNECK HEART HIP HUMERUS "
    "JAW KIDNEY KNEE LEG LIVER LSPINE NECK ORBIT PANCREAS PELVIS PROSTATE RIB SHOULDER SKULL "
    "SPINE SPLEEN SSPINE STERNUM THIGH TIBIA TSPINE UTERUS WHOLEBODY WRIST"
)


def _tag(keyword: str) -> int:
    tag = tag_for_keyword(keyword)
    assert tag is not None, keyword
    return tag


WORDS = {
    _tag(keyword): frozenset(words.split())
    for keyword, words in {**TERMS, "BodyPartExamined": BODY_PARTS}.items()
} | {_tag("PresentationIntentType"): frozenset(("FOR PRESENTATION", "FOR PROCESSING"))}
_NAMED = frozenset(tag[0] << 16 | tag[1] for tag in table.ALL_TAGS)
_KEPT = {
    **dict.fromkeys(map(_tag, NUMBERS.split()), Action.NUMBER),
    **dict.fromkeys(map(_tag, SEQUENCES.split()), Action.SEQUENCE),
    **dict.fromkeys(WORDS, Action.TERM),
}
_SENT_UIDS = frozenset(
    map(_tag, ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID"))
)


def action_for(tag: int) -> Action:
    """What becomes of the attribute `tag`, at whatever depth.

    What the profile names is done as it says, though more of it is left out than has to be. All
    else is left out, too, unless a network may need it and it holds no text of anybody's.
    """
    if tag in _SENT_UIDS:
        return Action.RENAMED
    if tag in _NAMED:
        return Action.LEFT_OUT
    return _KEPT.get(tag, Action.LEFT_OUT)
