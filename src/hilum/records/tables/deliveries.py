"""What destinations are to have, and what became of it."""

import sqlalchemy as sa

from hilum.records.tables.schema import metadata

delivery = sa.Table(
    "delivery",
    metadata,
    sa.Column("workitem_id", sa.String(64), primary_key=True),
    sa.Column("destination", sa.String(64), primary_key=True),
    sa.Column("variant", sa.String(255), nullable=False),  # of the results it is to receive
    sa.Column("images", sa.Boolean, nullable=False),  # whether the analysed images go along
    sa.Column("state", sa.String(16), index=True, nullable=False),  # a DeliveryState
    sa.Column("owed_at", sa.Float, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, default=0),
    sa.Column("reason", sa.Text, nullable=False, default=""),
    sa.Column("next_attempt", sa.Float, nullable=False, default=0.0),
    sa.Column("verified_at", sa.Float),
    sa.Column("asks", sa.Integer, nullable=False, default=0),  # since all of it was taken
    sa.Column("accepted_at", sa.Float),
    sa.Column("resend", sa.Boolean, nullable=False, default=False),  # a person allowed it
    sa.Column("filed_as", sa.String(64), nullable=False, default=""),  # number of a patient
    sa.Column("urgent", sa.Boolean, nullable=False, default=False),  # sent before others
    sa.Index("ix_delivery_due", "destination", "state", "next_attempt"),
    sa.Index("ix_delivery_owed", "destination", "owed_at"),  # what became of the last day
)

receipt = sa.Table(
    "receipt",  # of each object at each destination: when it was sent, and what was answered
    metadata,
    sa.Column("workitem_id", sa.String(64), primary_key=True),
    sa.Column("destination", sa.String(64), primary_key=True),
    sa.Column("identity", sa.String(64), primary_key=True),
    sa.Column("sent_at", sa.Float, nullable=False),
    sa.Column("times", sa.Integer, nullable=False),
    sa.Column("acceptance", sa.String(16), nullable=False),  # an Acceptance
    sa.Column("status", sa.Integer),
)

commitment = sa.Table(
    "commitment",  # what a destination was asked to commit itself to
    metadata,
    sa.Column("transaction_uid", sa.String(64), primary_key=True),
    sa.Column("workitem_id", sa.String(64), index=True, nullable=False),
    sa.Column("destination", sa.String(64), nullable=False),
    sa.Column("asked_at", sa.Float, nullable=False),
)
