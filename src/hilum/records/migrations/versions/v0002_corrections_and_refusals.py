"""The tables that came after 6b943b8: corrected patient data, and whom the receiver refused.

The Hilums between made whatever table was missing when they started, and wrote no version down. So
some of these tables may be there.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables that are missing."""
    _make_corrections()
    op.create_table(
        "refused",
        sa.Column("kind", sa.String(32), primary_key=True),
        sa.Column("address", sa.String(64), primary_key=True),
        sa.Column("caller", sa.String(16), primary_key=True),
        sa.Column("called", sa.String(16), primary_key=True),
        sa.Column("reason", sa.String(300), primary_key=True),
        sa.Column("first_at", sa.Float, nullable=False),
        sa.Column("last_at", sa.Float, nullable=False),
        sa.Column("count", sa.BigInteger, nullable=False),
        if_not_exists=True,
    )
    op.execute("DROP TABLE IF EXISTS refusal")  # its name for a day, with another key


def _make_corrections() -> None:
    op.create_table(
        "decision",
        sa.Column("study_uid", sa.String(64), primary_key=True),
        sa.Column("identity", sa.String(64), nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "correction",
        sa.Column("study_uid", sa.String(64), primary_key=True),
        sa.Column("identity", sa.String(64), primary_key=True),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("senders", sa.JSON, nullable=False),
        sa.Column("is_open", sa.Boolean, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "former",
        sa.Column("study_uid", sa.String(64), primary_key=True),
        sa.Column("label", sa.String(64), primary_key=True),
        sa.Column("at", sa.Float, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "subject",
        sa.Column("workitem_id", sa.String(64), primary_key=True),
        sa.Column("image", sa.String(64), primary_key=True),
        sa.Column("study_uid", sa.String(64), nullable=False),
        sa.Column("label", sa.String(64), nullable=False),
        if_not_exists=True,
    )
    op.create_index("ix_subject_image", "subject", ["image"], if_not_exists=True)
