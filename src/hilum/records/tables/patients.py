"""Whose the images of a study are, as it was sent and decided."""

import sqlalchemy as sa

from hilum.records.tables.schema import metadata

decision = sa.Table(
    "decision",  # by a person, on studies whose images name several patients
    metadata,
    sa.Column("study_uid", sa.String(64), primary_key=True),
    sa.Column("identity", sa.String(64), nullable=False),  # the key of an Identity
    sa.Column("at", sa.Float, nullable=False),
)

correction = sa.Table(
    "correction",  # patient data that were sent for images which are here under others
    metadata,
    sa.Column("study_uid", sa.String(64), primary_key=True),
    sa.Column("identity", sa.String(64), primary_key=True),  # the key of an Identity
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("senders", sa.JSON, nullable=False),
    sa.Column("is_open", sa.Boolean, nullable=False),  # nobody has decided on it yet
)

former = sa.Table(
    "former",  # what images of a study were called before a correction: hashes, no patient data
    metadata,
    sa.Column("study_uid", sa.String(64), primary_key=True),
    sa.Column("label", sa.String(64), primary_key=True),
    sa.Column("at", sa.Float, nullable=False),
)
