"""A run names the runs of other modules whose findings it was given."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Give the workitems their new column."""
    op.add_column("workitem", sa.Column("used", sa.JSON, nullable=False, server_default="{}"))
