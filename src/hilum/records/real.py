"""Which studies count: those of patients, and not those that were made up to try something."""

import sqlalchemy as sa

from hilum.dicom.uids import MADE_UP
from hilum.records.rows import Condition


def is_real(study_uid: sa.Column[str]) -> Condition:
    """Whether a row is of a study that counts; `study_uid` is the column that names it."""
    return ~study_uid.startswith(MADE_UP)
