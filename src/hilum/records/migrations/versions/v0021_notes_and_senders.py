"""A note names the run that it is about; an assessment names the object that it came as."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """Give workitems and assessments their new columns."""
    op.add_column("workitem", sa.Column("about", sa.String(64)))
    for name in ("sender", "object_uid"):
        column = sa.Column(name, sa.String(64), nullable=False, server_default="")
        op.add_column("assessment", column)
    op.create_index("ix_assessment_object_uid", "assessment", ["object_uid"])
