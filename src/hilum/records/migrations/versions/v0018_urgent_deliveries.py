"""A delivery says whether its result is urgent."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Give the deliveries their new column."""
    op.add_column(
        "delivery", sa.Column("urgent", sa.Boolean, nullable=False, server_default=sa.false())
    )
