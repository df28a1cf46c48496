"""The codes that modules need most; a test of Hilum's compares them with its own."""

from typing import NamedTuple


class Code(NamedTuple):
    """A coded concept: of DICOM (`DCM`), SNOMED CT (`SCT`), or a unit (`UCUM`)."""

    value: str
    scheme_designator: str
    meaning: str


HIPPOCAMPUS = Code("5366008", "SCT", "Hippocampus")
LUNG = Code("39607008", "SCT", "Lung")
BRAIN = Code("12738006", "SCT", "Brain")
ANTERIOR = Code("255549009", "SCT", "Anterior")
POSTERIOR = Code("255551008", "SCT", "Posterior")
LEFT = Code("7771000", "SCT", "Left")
RIGHT = Code("24028007", "SCT", "Right")
ANATOMICAL_STRUCTURE = Code("91723000", "SCT", "Anatomical Structure")
VOLUME = Code("118565006", "SCT", "Volume")
LENGTH = Code("410668003", "SCT", "Length")
ANGLE = Code("1483009", "SCT", "Angle")
CUBIC_MILLIMETRE = Code("mm3", "UCUM", "cubic millimeter")
MILLILITRE = Code("ml", "UCUM", "milliliter")
PERCENT = Code("%", "UCUM", "Percent")
NO_UNITS = Code("1", "UCUM", "no units")
