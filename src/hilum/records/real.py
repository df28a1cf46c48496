"""Which studies count: those of patients, and not those that were made up to try something."""

import sqlalchemy as sa

from hilum.dicom.uids import MADE_UP
from hilum.records.rows import Condition

# The first UID behind all of those: only its digits differ, so every database sorts it so.
_BEHIND = MADE_UP[:5] + str(int(MADE_UP[5:]) + 1)


def is_real(study_uid: sa.Column[str]) -> Condition:
    """Whether a row is of a study that counts; `study_uid` is the column that names it."""
    return ~study_uid.startswith(MADE_UP)


def is_made_up(study_uid: sa.Column[str]) -> Condition:
    """Whether it does not. An index of the column finds these few rows among many."""
    among = sa.and_(study_uid >= MADE_UP, study_uid < _BEHIND)
    return sa.and_(among, study_uid.startswith(MADE_UP))
