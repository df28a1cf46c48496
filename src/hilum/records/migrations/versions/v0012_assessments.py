"""Readers say whether a result is right; lists know which results nobody has judged yet."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

WITH_RESULT = ("delivering", "parked", "completed")
workitem = sa.table("workitem", *map(sa.column, ("study_uid", "kind", "state", "superseded_by")))
listing = sa.table("listing", *map(sa.column, ("study_uid", "assessments")))


def upgrade() -> None:
    """Make the table, and have every line of the list say what is not assessed."""
    op.create_table(
        "assessment",
        sa.Column("workitem_id", sa.String(64), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("reader", sa.String(64), nullable=False),
        sa.Column("identity", sa.Text, nullable=False),
        sa.Column("decision", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
    column = sa.Column("assessments", sa.Text, nullable=False, server_default="")
    op.add_column("listing", column)
    results = sa.select(workitem.c.study_uid).where(
        workitem.c.kind == "run",
        workitem.c.state.in_(WITH_RESULT),
        workitem.c.superseded_by.is_(None),
    )
    with_result = listing.update().where(listing.c.study_uid.in_(results))
    op.get_bind().execute(with_result.values(assessments="|not assessed|"))
