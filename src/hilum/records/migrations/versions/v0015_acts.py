"""Requests name a study and what was chosen; a run says whether a person asked for it."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Give the requests and the workitems their new columns."""
    op.add_column(
        "request", sa.Column("study_uid", sa.String(64), nullable=False, server_default="")
    )
    op.add_column("request", sa.Column("wish", sa.JSON, nullable=False, server_default="{}"))
    op.add_column("request", sa.Column("progress", sa.Text, nullable=False, server_default=""))
    op.add_column(
        "workitem", sa.Column("asked", sa.Boolean, nullable=False, server_default=sa.false())
    )
