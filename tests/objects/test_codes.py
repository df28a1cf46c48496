"""Every code Hilum writes, against pydicom's tables of the standard."""

from pathlib import Path

import pytest
from pydicom.sr._concepts_dict import concepts
from pydicom.sr.coding import Code

import hilum_module
from hilum.dicom import codes

TABLES = Path(hilum_module.codes.__file__).with_name(hilum_module.codes.TABLES)

# Not in those tables; each looked up by hand in the source named.
VETTED = {
    "COVID_19": ("840539006", "SCT"),  # SNOMED CT, in public value sets
    "PNEUMONIA": ("233604007", "SCT"),  # SNOMED CT
    "MILLILITRE": ("ml", "UCUM"),  # UCUM: millilitre
    "QUALITATIVE_EVALUATIONS": ("C0034375", "UMLS"),  # PS3.16 TID 1500 row 12
    "SOURCE": ("260753009", "SCT"),  # the tables print the SNOMED CT name, "Source (attribute)"
    "ENGLISH": ("en-US", "RFC5646"),  # PS3.16 CID 5000
    "EVIDENCE_IN_LUNGS": ("lung-evidence", "99HILUM"),  # our own; no standard code says it
    "VOLUME_OF_BOTH": ("both-sides", "99HILUM"),  # our own
    "ASYMMETRY": ("asymmetry", "99HILUM"),  # our own; a note beside it holds the formula
    "CHANGE": ("change", "99HILUM"),  # our own; a comment beside it names the earlier exam
    "CHANGE_PER_YEAR": ("change-per-year", "99HILUM"),  # our own
    "PERCENT_PER_YEAR": ("%/a", "UCUM"),  # UCUM: percent per (mean Julian) year
    "MOST_SIMILAR_GROUP": ("similar-group", "99HILUM"),  # our own; a "finding" would say too much
    "ACCEPTED_BY_READER": ("accepted", "99HILUM"),  # our own; no title of CID 7010 says it
    "REJECTED_BY_READER": ("rejected", "99HILUM"),  # our own; archives hide what 113001 names
    "SUPPLEMENTED_BY_READER": ("supplemented", "99HILUM"),  # our own
    "ASSESSMENT_OF_RESULT": ("assessment", "99HILUM"),  # our own
    "ASSESSED_RESULT": ("assessed-result", "99HILUM"),  # our own
    "PROCESSING_ALGORITHM": ("Newcode1", "99IHE"),  # IHE AIR 6.5.3.1
}
ALL = {name: value for name, value in vars(codes).items() if isinstance(value, Code)}


@pytest.mark.parametrize("name", ALL)
def test_code_fits_its_attributes(name):
    assert len(ALL[name].value) <= 16
    assert len(ALL[name].meaning) <= 64


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ("left kidney", ("64033007", "SCT", "Kidney")),
        ("Hippocampus", ("5366008", "SCT", "Hippocampus")),
        ("length", ("410668003", "SCT", "Length")),
    ],
)
def test_a_code_is_found_by_words(words, first):
    assert first[0] in [code.value for code in codes.find(words)[:3]]
    assert all(isinstance(code, Code) for code in codes.find(words))


def tables() -> str:
    """All that pydicom has of PS3.16, as it lies beside the code that looks for it."""
    rows = {
        (scheme, value, meaning)
        for scheme, by_keyword in concepts.items()
        for by_value in by_keyword.values()
        for value, (meaning, _groups) in by_value.items()
    }
    return "".join("\t".join(row) + "\n" for row in sorted(rows))


def test_the_tables_are_those_of_pydicom():
    cure = "another pydicom: `python -m tests.objects.test_codes` writes them anew"
    assert TABLES.read_text(encoding="utf-8") == tables(), cure


def test_what_no_code_says_is_not_found():
    assert codes.find("left")[0] == codes.LEFT
    assert codes.find("no such thing at all") == codes.find("") == ()


@pytest.mark.parametrize("name", ALL)
def test_code_is_in_the_standard(name):
    code = ALL[name]
    if name in VETTED:
        assert (code.value, code.scheme_designator) == VETTED[name]
        return
    meanings = {
        meaning.lower()
        for entries in concepts[code.scheme_designator].values()
        for value, (meaning, _) in entries.items()
        if value == code.value
    }
    assert code.meaning.lower() in meanings


if __name__ == "__main__":
    TABLES.write_text(tables(), encoding="utf-8")
