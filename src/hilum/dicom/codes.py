"""The coded concepts Hilum writes, each checked against its context group by a test.

Codes come from here and nowhere else: one quoted from memory turned out to be *Limbic lobe*.
"""

from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from hilum.dicom.uids import MANUFACTURER

# Codes of our own, where no standard one says the same; "99" marks private schemes (PS3.16 8.2).
OWN_SCHEME = "99HILUM"

# what is found
HIPPOCAMPUS = Code("5366008", "SCT", "Hippocampus")
LUNG = Code("39607008", "SCT", "Lung")
BRAIN = Code("12738006", "SCT", "Brain")
ANTERIOR = Code("255549009", "SCT", "Anterior")
POSTERIOR = Code("255551008", "SCT", "Posterior")
LEFT = Code("7771000", "SCT", "Left")
RIGHT = Code("24028007", "SCT", "Right")
ANATOMICAL_STRUCTURE = Code("91723000", "SCT", "Anatomical Structure")
LESION = Code("52988006", "SCT", "Lesion")
MASS = Code("4147007", "SCT", "Mass")
NODULE = Code("27925004", "SCT", "Nodule")
COVID_19 = Code("840539006", "SCT", "COVID-19")
PNEUMONIA = Code("233604007", "SCT", "Pneumonia")
NORMAL = Code("17621005", "SCT", "Normal")
INDETERMINATE = Code("82334004", "SCT", "Indeterminate")

# how it is measured
VOLUME = Code("118565006", "SCT", "Volume")
CERTAINTY_OF_FINDING = Code("111012", "DCM", "Certainty of Finding")
EVIDENCE_IN_LUNGS = Code("lung-evidence", OWN_SCHEME, "Share of evidence inside the lungs")
MOST_SIMILAR_GROUP = Code("similar-group", OWN_SCHEME, "Most similar training group")
VOLUME_OF_BOTH = Code("both-sides", OWN_SCHEME, "Volume of left and right")
ASYMMETRY = Code("asymmetry", OWN_SCHEME, "Asymmetry, left - right")
CHANGE = Code("change", OWN_SCHEME, "Change since an earlier exam")
CHANGE_PER_YEAR = Code("change-per-year", OWN_SCHEME, "Change per year since an earlier exam")
MEASUREMENT_UNCERTAINTY = Code("371884006", "SCT", "+/-, range of measurement uncertainty")
LENGTH = Code("410668003", "SCT", "Length")
ANGLE = Code("1483009", "SCT", "Angle")
MILLIMETRE = Code("mm", "UCUM", "mm")
DEGREE = Code("deg", "UCUM", "Degree")
CUBIC_MILLIMETRE = Code("mm3", "UCUM", "cubic millimeter")
MILLILITRE = Code("ml", "UCUM", "milliliter")
PERCENT = Code("%", "UCUM", "Percent")
PERCENT_PER_YEAR = Code("%/a", "UCUM", "percent per year")
NO_UNITS = Code("1", "UCUM", "no units")

# the procedure (CID 100)
MRI_UNSPECIFIED_BODY_REGION = Code("25056-3", "LN", "MRI unspecified body region")
IMAGING_PROCEDURE = Code("363679005", "SCT", "Imaging procedure")

# the measurement report: TID 1500, 1204, 1002, 1600, 1501, 1411, 300, 4019
IMAGING_MEASUREMENT_REPORT = Code("126000", "DCM", "Imaging Measurement Report")
LANGUAGE_OF_CONTENT = Code("121049", "DCM", "Language of Content Item and Descendants")
ENGLISH = Code("en-US", "RFC5646", "English (United States)")
OBSERVER_TYPE = Code("121005", "DCM", "Observer Type")
DEVICE = Code("121007", "DCM", "Device")
DEVICE_OBSERVER_UID = Code("121012", "DCM", "Device Observer UID")
DEVICE_OBSERVER_NAME = Code("121013", "DCM", "Device Observer Name")
DEVICE_OBSERVER_MANUFACTURER = Code("121014", "DCM", "Device Observer Manufacturer")
DEVICE_OBSERVER_MODEL_NAME = Code("121015", "DCM", "Device Observer Model Name")
DEVICE_OBSERVER_SERIAL_NUMBER = Code("121016", "DCM", "Device Observer Serial Number")
PROCEDURE_REPORTED = Code("121058", "DCM", "Procedure reported")
IMAGE_LIBRARY = Code("111028", "DCM", "Image Library")
IMAGE_LIBRARY_GROUP = Code("126200", "DCM", "Image Library Group")
MODALITY = Code("121139", "DCM", "Modality")
COMPUTED_RADIOGRAPHY = Code("CR", "DCM", "Computed Radiography")
DIGITAL_RADIOGRAPHY = Code("DX", "DCM", "Digital Radiography")
IMAGING_MEASUREMENTS = Code("126010", "DCM", "Imaging Measurements")
DERIVED_IMAGING_MEASUREMENTS = Code("126011", "DCM", "Derived Imaging Measurements")
MEASUREMENT_GROUP = Code("125007", "DCM", "Measurement Group")
TRACKING_IDENTIFIER = Code("112039", "DCM", "Tracking Identifier")
TRACKING_UNIQUE_IDENTIFIER = Code("112040", "DCM", "Tracking Unique Identifier")
FINDING = Code("121071", "DCM", "Finding")
FINDING_SITE = Code("363698007", "SCT", "Finding Site")
LATERALITY = Code("272741003", "SCT", "Laterality")
TOPOGRAPHICAL_MODIFIER = Code("106233006", "SCT", "Topographical modifier")
IMAGE_REGION = Code("111030", "DCM", "Image Region")
SOURCE = Code("260753009", "SCT", "Source")
SOURCE_OF_MEASUREMENT = Code("121112", "DCM", "Source of Measurement")
REFERENCED_SEGMENT = Code("121191", "DCM", "Referenced Segment")
SOURCE_SERIES_FOR_SEGMENTATION = Code("121232", "DCM", "Source series for segmentation")
ILLUSTRATION_OF_ROI = Code("121200", "DCM", "Illustration of ROI")
ALGORITHM_NAME = Code("111001", "DCM", "Algorithm Name")
ALGORITHM_VERSION = Code("111003", "DCM", "Algorithm Version")
ALGORITHM_PARAMETERS = Code("111002", "DCM", "Algorithm Parameters")
ALGORITHM_FAMILY = Code("111000", "DCM", "Algorithm Family")
ARTIFICIAL_INTELLIGENCE = Code("123110", "DCM", "Artificial Intelligence")
QUALITATIVE_EVALUATIONS = Code("C0034375", "UMLS", "Qualitative Evaluations")
COMMENT = Code("121106", "DCM", "Comment")
PROCESSING_SUMMARY = Code("111017", "DCM", "CAD Processing and Findings Summary")
NO_ALGORITHMS_SUCCEEDED = Code("111245", "DCM", "No algorithms succeeded; without findings")

# a result that is taken back (CID 7010, TID 2010)
REJECTED_FOR_QUALITY = Code("113001", "DCM", "Rejected for Quality Reasons")
REJECTED_FOR_PATIENT_SAFETY = Code("113037", "DCM", "Rejected for Patient Safety Reasons")
INCORRECT_WORKLIST_ENTRY = Code("113038", "DCM", "Incorrect Modality Worklist Entry")
KEY_OBJECT_TITLE_MODIFIER = Code("113011", "DCM", "Document Title Modifier")
KEY_OBJECT_DESCRIPTION = Code("113012", "DCM", "Key Object Description")

# what a reader said of a result, as the title of a Key Object Selection (CID 7010 may be extended)
ACCEPTED_BY_READER = Code("accepted", OWN_SCHEME, "Result accepted by a reader")
REJECTED_BY_READER = Code("rejected", OWN_SCHEME, "Result rejected by a reader")
SUPPLEMENTED_BY_READER = Code("supplemented", OWN_SCHEME, "Result supplemented by a reader")
ASSESSMENT_OF_RESULT = Code("assessment", OWN_SCHEME, "Assessment of a result by a reader")
ASSESSED_RESULT = Code("assessed-result", OWN_SCHEME, "Version of the result that was assessed")
QUALITY_ISSUE = Code("113010", "DCM", "Quality Issue")
PERSON = Code("121006", "DCM", "Person")
PERSON_OBSERVER_NAME = Code("121008", "DCM", "Person Observer Name")

# how an identifier is told apart outside of DICOM
STUDY_INSTANCE_UID = Code("110180", "DCM", "Study Instance UID")

# what the objects say of each other and of their making
PROCESSING_ALGORITHM = Code("Newcode1", "99IHE", "Processing Algorithm")  # as IHE AIR prints it
SOURCE_IMAGE = Code("121322", "DCM", "Source image for image processing operation")
TEMPORAL_PREDECESSOR = Code("121348", "DCM", "Temporal Predecessor")

# Body Part Examined (PS3.16 Annex L) of an object that shows a structure
BODY_PARTS = {
    HIPPOCAMPUS: "BRAIN",
    BRAIN: "BRAIN",
    LUNG: "CHEST",
    COVID_19: "CHEST",
    PNEUMONIA: "CHEST",
    EVIDENCE_IN_LUNGS: "CHEST",
}
MODALITIES = {"CR": COMPUTED_RADIOGRAPHY, "DX": DIGITAL_RADIOGRAPHY}


def find(words: str, most: int = 20) -> tuple[Code, ...]:
    """The codes of the standard whose meaning has all of `words`, the nearest first.

    A side is no part of most codes: "left kidney" gives that of the kidney, and `LEFT` is the side.
    Empty where there is none.
    """
    from hilum_module import codes  # it has the tables of the standard, which few need

    return tuple(Code(*code) for code in codes.find(words, most))


def meanings(value: str, scheme: str) -> frozenset[str]:
    """All that the tables of the standard call a code; empty if they do not have it."""
    from hilum_module import codes

    same = (value, scheme)
    return frozenset(code.meaning for code in codes.standard() if code[:2] == same)


def item(code: Code) -> Dataset:
    """The Code Sequence Macro of `code` (PS3.3 Table 8.8-1)."""
    dataset = Dataset()
    dataset.CodeValue = code.value
    dataset.CodingSchemeDesignator = code.scheme_designator
    dataset.CodeMeaning = code.meaning
    return dataset


def own_scheme() -> Dataset:
    """Who defines the codes of `OWN_SCHEME`: Coding Scheme Identification (PS3.3 C.12.1)."""
    dataset = Dataset()
    dataset.CodingSchemeDesignator = OWN_SCHEME
    dataset.CodingSchemeName = "Hilum"
    dataset.CodingSchemeResponsibleOrganization = MANUFACTURER
    return dataset
