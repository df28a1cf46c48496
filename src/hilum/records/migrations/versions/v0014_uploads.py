"""Studies that were uploaded: where their results go."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "upload",
        sa.Column("study_uid", sa.String(64), primary_key=True),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("destinations", sa.JSON, nullable=False),
        sa.Column("images", sa.Boolean, nullable=False),
    )
