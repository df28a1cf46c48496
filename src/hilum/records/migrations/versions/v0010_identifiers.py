"""Every study has an address, and a line by which it is found.

What stands in the line is made by the gateway, which reads images for it, step by step.
"""

import secrets
import string

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

FIRST = string.ascii_lowercase  # so that none looks like the end of a UID
LETTERS = FIRST + string.digits
AT_ONCE = 1000

TEXTS = [
    *("state", "modules", "states", "modalities", "study_date"),
    *("patient_id", "issuer", "patient_name", "accession_number", "description"),
    *("patient_id_key", "patient_name_key", "accession_number_key", "description_key"),
    *("reason_key", "reason", "caution"),
]
NUMBERS = ["urgency", "shown", "destinations"]
study = sa.table("study", *map(sa.column, ("study_uid", "last_at")))


def upgrade() -> None:
    """Make the tables, with a row for each study."""
    address = op.create_table(
        "address",
        sa.Column("study_uid", sa.String(64), primary_key=True),
        sa.Column("address", sa.String(12), unique=True, nullable=False),
    )
    listing = op.create_table(
        "listing",
        sa.Column("study_uid", sa.String(64), primary_key=True),
        sa.Column("last_at", sa.Float, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("urgency", sa.Integer, nullable=False),
        sa.Column("shown", sa.Integer, nullable=False),
        sa.Column("destinations", sa.Integer, nullable=False),
        sa.Column("removed", sa.Boolean, nullable=False),
        sa.Column("modules", sa.Text, nullable=False),
        sa.Column("states", sa.Text, nullable=False),
        sa.Column("noted", sa.Boolean, nullable=False),
        sa.Column("modalities", sa.Text, nullable=False),
        sa.Column("study_date", sa.String(8), nullable=False),
        sa.Column("patient_id", sa.String(64), nullable=False),
        sa.Column("issuer", sa.String(64), nullable=False),
        sa.Column("patient_name", sa.Text, nullable=False),
        sa.Column("accession_number", sa.String(64), nullable=False),
        sa.Column("description", sa.String(64), nullable=False),
        sa.Column("patient_id_key", sa.Text, nullable=False),
        sa.Column("patient_name_key", sa.Text, nullable=False),
        sa.Column("accession_number_key", sa.Text, nullable=False),
        sa.Column("description_key", sa.Text, nullable=False),
        sa.Column("reason_key", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("caution", sa.Text, nullable=False),
    )
    connection = op.get_bind()
    rows = connection.execute(sa.select(study)).all()
    blank: dict[str, object] = {**dict.fromkeys(TEXTS, ""), **dict.fromkeys(NUMBERS, 0)}
    blank |= {"removed": False, "noted": False}
    for start in range(0, len(rows), AT_ONCE):
        some = rows[start : start + AT_ONCE]
        named = [{"study_uid": row.study_uid, "address": _new_address()} for row in some]
        lines = [{"study_uid": row.study_uid, "last_at": row.last_at, **blank} for row in some]
        connection.execute(address.insert(), named)
        connection.execute(listing.insert(), lines)
    op.create_index("ix_listing_last_at", "listing", ["last_at", "study_uid"])
    op.create_index("ix_listing_noted", "listing", ["noted"])
    op.create_index("ix_listing_urgency", "listing", ["urgency", "last_at", "study_uid"])


def _new_address() -> str:
    return secrets.choice(FIRST) + "".join(secrets.choice(LETTERS) for _ in range(11))
