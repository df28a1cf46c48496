"""Steps of worklists are kept until the worklist knows how they ended."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Make the table of the steps."""
    op.create_table(
        "step",
        sa.Column("worklist", sa.String(32), primary_key=True),
        sa.Column("uid", sa.String(64), primary_key=True),
        sa.Column("study_uid", sa.String(64), nullable=False, index=True),
        sa.Column("module", sa.String(64), nullable=False),
        sa.Column("code", sa.JSON, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("since", sa.Float, nullable=False),
        sa.Column("transaction_uid", sa.String(64), nullable=False),
        sa.Column("began_at", sa.Float),
        sa.Column("fetch", sa.Integer),
        sa.Column("analysis", sa.Integer),
        sa.Column("workitem_id", sa.String(64), nullable=False),
        sa.Column("told", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("cancel_asked", sa.Boolean, nullable=False),
        sa.Column("problem", sa.Text, nullable=False),
    )
