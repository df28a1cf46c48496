"""A workitem says what it is; a destination is reachable or not; long names of alarms fit.

Until now, a workitem without inputs was a note that takes a result back if its results said so
(key object selection, "ko"), and else one that says why a module was not run. Where it had no
findings, the JSON value null stood in the place of NULL.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

REACH = {"answers": "reachable", "silent": "unreachable"}

workitem = sa.table("workitem", *map(sa.column, ("id", "kind", "inputs", "findings")))
result = sa.table("result", *map(sa.column, ("workitem_id", "kind")))
destination = sa.table("destination", sa.column("state"))


def upgrade() -> None:
    """Name the kinds of the workitems that are there."""
    op.add_column("workitem", sa.Column("kind", sa.String(16)))
    notes = sa.select(result.c.workitem_id).where(result.c.kind == "ko")
    kind = sa.case(
        (sa.cast(workitem.c.inputs, sa.Text) != "{}", "run"),
        (workitem.c.id.in_(notes), "withdrawal"),
        else_="not run",
    )
    op.execute(sa.update(workitem).values(kind=kind))
    with op.batch_alter_table("workitem") as table:
        table.alter_column("kind", existing_type=sa.String(16), nullable=False)
    with op.batch_alter_table("alarm") as table:
        table.alter_column("name", existing_type=sa.String(16), type_=sa.String(80))
    nothing = sa.cast(workitem.c.findings, sa.Text) == "null"
    op.execute(sa.update(workitem).where(nothing).values(findings=None))
    for before, now in REACH.items():
        op.execute(sa.update(destination).where(destination.c.state == before).values(state=now))
