"""How long analyses took is counted as each ends; those that ended before are counted once here."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"

BOUNDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
ENDED = """
    SELECT workitem.module, ended.at - (
        SELECT max(begun.at) FROM event AS begun
        WHERE begun.study_uid = ended.study_uid AND begun.workitem_id = ended.workitem_id
        AND begun.kind = 'running' AND begun.id < ended.id
    ) AS seconds
    FROM event AS ended JOIN workitem ON workitem.id = ended.workitem_id
    WHERE ended.kind = 'analysed'
"""


def upgrade() -> None:
    """Make the table, and fill it."""
    table = op.create_table(
        "duration",
        sa.Column("module", sa.String(64), primary_key=True),
        sa.Column("at_most", sa.Float, primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
    )
    found: dict[tuple[str, float], list[float]] = {}
    for module, seconds in op.get_bind().execute(sa.text(ENDED)):
        if seconds is not None:
            took = max(0.0, seconds)
            at_most = next((bound for bound in BOUNDS if took <= bound), float("inf"))
            counted = found.setdefault((module, at_most), [0, 0.0])
            counted[0] += 1
            counted[1] += took
    for (module, at_most), (number, seconds) in found.items():
        row = {"module": module, "at_most": at_most, "number": number, "seconds": seconds}
        op.get_bind().execute(table.insert().values(row))
