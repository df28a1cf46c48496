"""Of every object it is known when it was sent, and what the destination answered.

Until now only deliveries as a whole were known. Those that say that everything was accepted, and
that some of it was not shown, get a receipt for each object: it is only asked for. The words for a
variant that an older Hilum wrote do not say how regions are marked; they were outlines.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

ENCODINGS = ("auto", "binary", "fractional")

delivery = sa.table(
    "delivery",
    *map(sa.column, ("workitem_id", "destination", "variant", "state", "reason", "owed_at")),
)
result = sa.table("result", *map(sa.column, ("identity", "variant", "workitem_id")))


def upgrade() -> None:
    """Make the tables, and give receipts to what was accepted."""
    with op.batch_alter_table("delivery") as table:
        table.add_column(sa.Column("asks", sa.Integer, nullable=False, server_default="0"))
        table.add_column(sa.Column("accepted_at", sa.Float))
        table.add_column(sa.Column("resend", sa.Boolean, nullable=False, server_default="0"))
        table.add_column(sa.Column("filed_as", sa.String(64), nullable=False, server_default=""))
    with op.batch_alter_table("destination") as table:
        table.add_column(sa.Column("lag_seconds", sa.Float, nullable=False, server_default="0"))
    op.create_table(
        "commitment",
        sa.Column("transaction_uid", sa.String(64), primary_key=True),
        sa.Column("workitem_id", sa.String(64), nullable=False),
        sa.Column("destination", sa.String(64), nullable=False),
        sa.Column("asked_at", sa.Float, nullable=False),
    )
    op.create_index("ix_commitment_workitem_id", "commitment", ["workitem_id"])
    receipt = op.create_table(
        "receipt",
        sa.Column("workitem_id", sa.String(64), primary_key=True),
        sa.Column("destination", sa.String(64), primary_key=True),
        sa.Column("identity", sa.String(64), primary_key=True),
        sa.Column("sent_at", sa.Float, nullable=False),
        sa.Column("times", sa.Integer, nullable=False),
        sa.Column("acceptance", sa.String(16), nullable=False),
        sa.Column("status", sa.Integer),
    )
    of_delivery = (
        result.c.workitem_id == delivery.c.workitem_id,
        result.c.variant == delivery.c.variant,
        delivery.c.state == "delayed",
        delivery.c.reason.contains(" accepted, but "),
    )
    accepted = sa.select(
        delivery.c.workitem_id,
        delivery.c.destination,
        result.c.identity,
        delivery.c.owed_at,
        sa.literal(1),
        sa.literal("taken"),
    ).where(*of_delivery)
    columns = ["workitem_id", "destination", "identity", "sent_at", "times", "acceptance"]
    op.execute(sa.insert(receipt).from_select(columns, accepted))
    for rows in (result, delivery):
        ends = sa.or_(*(rows.c.variant.endswith(f",{one}") for one in ENCODINGS))
        op.execute(rows.update().where(ends).values(variant=rows.c.variant + ",outlines"))
