"""What a person asks for, or a worklist."""

import sqlalchemy as sa

from hilum.records.tables.schema import metadata

request = sa.Table(
    "request",  # what a person asked for, until the gateway has done it
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("action", sa.String(16), nullable=False),  # a RequestAction
    sa.Column("workitem_id", sa.String(64), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("answer", sa.Text),
    sa.Column("done", sa.Boolean, nullable=False, default=False),
    sa.Column("study_uid", sa.String(64), nullable=False, default=""),
    sa.Column("wish", sa.JSON, nullable=False, default=dict),  # a Wish
    sa.Column("progress", sa.Text, nullable=False, default=""),
)

step = sa.Table(
    "step",  # of a worklist: from when it is offered until the worklist knows how it ended
    metadata,
    sa.Column("worklist", sa.String(32), primary_key=True),
    sa.Column("uid", sa.String(64), primary_key=True),
    sa.Column("study_uid", sa.String(64), nullable=False, index=True),
    sa.Column("module", sa.String(64), nullable=False),
    sa.Column("code", sa.JSON, nullable=False),  # value, scheme and meaning
    sa.Column("state", sa.String(16), nullable=False),  # a StepState
    sa.Column("since", sa.Float, nullable=False),
    sa.Column("transaction_uid", sa.String(64), nullable=False, default=""),
    sa.Column("began_at", sa.Float),
    sa.Column("fetch", sa.Integer),  # the request that was made for it
    sa.Column("analysis", sa.Integer),  # and that one
    sa.Column("workitem_id", sa.String(64), nullable=False, default=""),
    sa.Column("told", sa.Text, nullable=False, default=""),
    sa.Column("reason", sa.Text, nullable=False, default=""),
    sa.Column("cancel_asked", sa.Boolean, nullable=False, default=False),
    sa.Column("problem", sa.Text, nullable=False, default=""),
)
