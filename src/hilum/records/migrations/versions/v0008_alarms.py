"""Alarms say how grave they are and what they said, and notifiers tell of them.

An alarm that stands is an error until it is looked at again, seconds later.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

NEW: dict[str, sa.types.TypeEngine[Any]] = {
    "severity": sa.String(16),
    "told_at": sa.Float(),
    "text": sa.Text(),
    "cure": sa.Text(),
    "studies": sa.JSON(),
}

alarm = sa.table(
    "alarm",
    *map(sa.column, ("name", "since")),
    *(sa.column(name, kind) for name, kind in NEW.items()),
)


def upgrade() -> None:
    """Give the alarms their new columns, and make the tables of the notifiers."""
    for name, kind in NEW.items():
        op.add_column("alarm", sa.Column(name, kind))
    said = {"severity": "error", "told_at": alarm.c.since, "text": alarm.c.name, "cure": ""}
    op.execute(sa.update(alarm).values(**said, studies=[]))
    with op.batch_alter_table("alarm") as table:
        for name, kind in NEW.items():
            table.alter_column(name, existing_type=kind, nullable=False)
    op.create_table(
        "notice",
        sa.Column("notifier", sa.String(32), primary_key=True),
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("message", sa.String(64), nullable=False),
        sa.Column("alarm", sa.String(80), nullable=False),
        sa.Column("severity", sa.String(16), nullable=False),
        sa.Column("change", sa.String(16), nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("since", sa.Float, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("cure", sa.Text, nullable=False),
        sa.Column("studies", sa.JSON, nullable=False),
    )
    op.create_table(
        "notifier",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("sent_at", sa.Float, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_attempt", sa.Float, nullable=False),
        sa.Column("failing_since", sa.Float),
        sa.Column("problem", sa.Text, nullable=False),
    )
    op.create_index("ix_workitem_state_module", "workitem", ["state", "module", "created"])
