"""Destinations, sources and modules can be paused. What was owed of a day is found quickly."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Make the table of the pauses, and the index of the deliveries."""
    op.create_table(
        "pause",
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("since", sa.Float, nullable=False),
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("ended_at", sa.Float),
    )
    op.create_index("ix_delivery_owed", "delivery", ["destination", "owed_at"])
