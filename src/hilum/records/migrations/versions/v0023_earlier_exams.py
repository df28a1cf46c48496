"""A run names the earlier exams of the patient that it was given."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    """Give the workitems their new column."""
    op.add_column("workitem", sa.Column("priors", sa.JSON, nullable=False, server_default="{}"))
