"""A run may have to begin at once, in whichever hours its rule analyses."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    """Give the workitems their new column."""
    op.add_column(
        "workitem", sa.Column("at_once", sa.Boolean, nullable=False, server_default=sa.false())
    )
