"""Why studies are held until a person has decided whose the images are.

Apart from the rest, so that a command which only shows these words need not import pydicom.
"""

DIFFERENT = "not all images name the same patient"  # begins the reason of what is held, so do these
CORRECTED = "corrected patient data were sent"
FORMER = "the patient data of these images were corrected before"
AS_IT_IS = "present"  # what a person chooses who leaves a study as it is
HELD_FOR = (DIFFERENT, CORRECTED, FORMER)


def held_for(reason: str) -> str:
    """With which of `HELD_FOR` the reason of a held workitem begins, or ""."""
    return next((text for text in HELD_FOR if reason.startswith(text)), "")
