"""It is kept whether a worklist can be worked from, and since when."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Make the table of the worklists."""
    op.create_table(
        "worklist",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("since", sa.Float, nullable=False),
        sa.Column("problem", sa.Text, nullable=False),
    )
