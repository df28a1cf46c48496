"""The coded concepts Hilum writes, each checked against its context group by a test.

Codes come from here and nowhere else: one quoted from memory turned out to be *Limbic lobe*.
"""

from pydicom.sr.coding import Code

# what is measured
HIPPOCAMPUS = Code("5366008", "SCT", "Hippocampus")
ANTERIOR = Code("255549009", "SCT", "Anterior")
POSTERIOR = Code("255551008", "SCT", "Posterior")
LEFT = Code("7771000", "SCT", "Left")
RIGHT = Code("24028007", "SCT", "Right")
ANATOMICAL_STRUCTURE = Code("91723000", "SCT", "Anatomical Structure")

# how it is measured
VOLUME = Code("118565006", "SCT", "Volume")
CUBIC_MILLIMETRE = Code("mm3", "UCUM", "cubic millimeter")
MILLILITRE = Code("ml", "UCUM", "milliliter")
NO_UNITS = Code("1", "UCUM", "no units")

# the documents
IMAGING_MEASUREMENT_REPORT = Code("126000", "DCM", "Imaging Measurement Report")
MRI_UNSPECIFIED_BODY_REGION = Code("25056-3", "LN", "MRI unspecified body region")
BRAIN = Code("12738006", "SCT", "Brain")
