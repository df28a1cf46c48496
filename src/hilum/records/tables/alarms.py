"""What is wrong, and whom it is told."""

import sqlalchemy as sa

from hilum.records.tables.schema import metadata

alarm = sa.Table(
    "alarm",  # since when something is wrong; whether it still is, is asked anew each time
    metadata,
    sa.Column("name", sa.String(80), primary_key=True),
    sa.Column("severity", sa.String(16), nullable=False),  # a Severity
    sa.Column("since", sa.Float, nullable=False),
    sa.Column("told_at", sa.Float, nullable=False),  # the last time
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("cure", sa.Text, nullable=False),
    sa.Column("studies", sa.JSON, nullable=False),
)

notice = sa.Table(
    "notice",  # that an alarm has begun, still stands or has ended, until a notifier has told it
    metadata,
    sa.Column("notifier", sa.String(32), primary_key=True),
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("message", sa.String(64), nullable=False, default=""),  # that it is told in
    sa.Column("alarm", sa.String(80), nullable=False),
    sa.Column("severity", sa.String(16), nullable=False),  # a Severity
    sa.Column("change", sa.String(16), nullable=False),  # an AlarmChange
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("since", sa.Float, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("cure", sa.Text, nullable=False),
    sa.Column("studies", sa.JSON, nullable=False),
)

notifier = sa.Table(
    "notifier",  # how each stands
    metadata,
    sa.Column("name", sa.String(32), primary_key=True),
    sa.Column("sent_at", sa.Float, nullable=False, default=0.0),  # the last message
    sa.Column("attempts", sa.Integer, nullable=False, default=0),  # that failed, since then
    sa.Column("next_attempt", sa.Float, nullable=False, default=0.0),
    sa.Column("failing_since", sa.Float),
    sa.Column("problem", sa.Text, nullable=False, default=""),  # of the last attempt
)
