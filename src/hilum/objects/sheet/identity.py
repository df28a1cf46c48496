"""Whose study it is, as it is printed: names in every script that they are written in."""

from unicodedata import east_asian_width

from pydicom.dataset import Dataset
from pydicom.valuerep import PersonName

from hilum.objects.sheet.typeface import MOST_IN_CELL, can_show, shown

SEXES = {"M": "male", "F": "female", "O": "other"}


def identity(header: Dataset) -> tuple[tuple[str, str], ...]:
    """What is known of the patient and the study, by name; further names have none."""
    first, *others = names(header.get("PatientName")) or ("see the image header",)
    pairs = (
        ("Patient", first),
        *(("", other) for other in others),
        ("Patient ID", header.get("PatientID")),
        ("Born", _date(header.get("PatientBirthDate"))),
        ("Sex", SEXES.get(header.get("PatientSex") or "", "")),
        ("Study", header.get("StudyDescription")),
        ("Study date", _date(header.get("StudyDate"))),
        ("Accession number", header.get("AccessionNumber")),
    )
    return tuple((name, shown(str(value), MOST_IN_CELL)) for name, value in pairs if value)


def names(name: PersonName | str | None) -> tuple[str, ...]:
    """Every representation of `name` that can be shown, such as "Yamada, Tarou" and "山田 太郎".

    A name may have three component groups (PS3.5 6.2.1): letters, ideographs, and how they sound.
    """
    groups = map(_group, str(name or "").split("="))
    return tuple(dict.fromkeys(group for group in groups if group and can_show(group)))


def _group(components: str) -> str:
    """ "Family, Given Middle"; East Asian names stand without a comma, as they are written."""
    family, _, rest = components.partition("^")
    given = " ".join(part for part in rest.split("^") if part)
    parts = [part.strip() for part in (family, given) if part.strip()]
    is_east_asian = any(east_asian_width(character) in "WF" for character in components)
    return (" " if is_east_asian else ", ").join(parts)


def _date(value: str | None) -> str:
    value = str(value or "")
    return f"{value[:4]}-{value[4:6]}-{value[6:8]}" if len(value) == 8 else value
