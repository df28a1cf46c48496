"""A run names those whose findings it was given; a delivery says whether its result is urgent."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Give the workitems and the deliveries their new columns."""
    op.add_column("workitem", sa.Column("used", sa.JSON, nullable=False, server_default="{}"))
    op.add_column(
        "delivery", sa.Column("urgent", sa.Boolean, nullable=False, server_default=sa.false())
    )
