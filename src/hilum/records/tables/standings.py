"""How the parts around Hilum stand, and its own processes."""

import sqlalchemy as sa

from hilum.records.tables.schema import metadata

destination = sa.Table(
    "destination",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("state", sa.String(16), nullable=False),  # a DestinationState
    sa.Column("since", sa.Float, nullable=False),  # when it came into that state
    sa.Column("problem", sa.Text, nullable=False, default=""),  # why it is unreachable
    sa.Column("lag_seconds", sa.Float, nullable=False, default=0.0),  # longest until it showed one
)

source = sa.Table(
    "source",
    metadata,
    sa.Column("name", sa.String(32), primary_key=True),
    sa.Column("cursor", sa.Text, nullable=False, default=""),  # empty before the first use
    sa.Column("state", sa.String(16), nullable=False),  # a SourceState
    sa.Column("since", sa.Float, nullable=False),  # when it came into that state
    sa.Column("problem", sa.Text, nullable=False, default=""),  # the last one, in plain words
    sa.Column("problem_at", sa.Float),
    sa.Column("seen_at", sa.Float),  # last answer, give or take a few seconds
    sa.Column("behind", sa.Integer, nullable=False, default=0),  # of what the archive lists
    sa.Column("fetched", sa.Integer, nullable=False, default=0),  # instances, ever
    sa.Column("fetched_at", sa.Float),
)

worklist = sa.Table(
    "worklist",
    metadata,
    sa.Column("name", sa.String(32), primary_key=True),
    sa.Column("state", sa.String(16), nullable=False),  # a WorklistState
    sa.Column("since", sa.Float, nullable=False),  # when it came into that state
    sa.Column("problem", sa.Text, nullable=False, default=""),  # why it cannot be worked from
)

pause = sa.Table(
    "pause",  # of a destination, a source or a module: the last one of each
    metadata,
    sa.Column("kind", sa.String(16), primary_key=True),  # a PausedKind
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("since", sa.Float, nullable=False),
    sa.Column("person", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("ended_at", sa.Float),
)

rejection = sa.Table(
    "rejection",  # a hilum.rejections.Rejection: whom the receiver rejected, why, how often
    metadata,
    sa.Column("kind", sa.String(32), primary_key=True),  # a RejectionKind
    sa.Column("address", sa.String(64), primary_key=True),
    sa.Column("caller", sa.String(16), primary_key=True),
    sa.Column("called", sa.String(16), primary_key=True),
    sa.Column("reason", sa.String(300), primary_key=True),
    sa.Column("first_at", sa.Float, nullable=False),
    sa.Column("last_at", sa.Float, nullable=False),
    sa.Column("count", sa.BigInteger, nullable=False),
)

executor = sa.Table(
    "executor",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("role", sa.String(16), nullable=False),
    sa.Column("host", sa.String(255), nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("started", sa.String(32), nullable=False),  # kernel's start time of that pid
    sa.Column("beat_at", sa.Float, nullable=False),
)
