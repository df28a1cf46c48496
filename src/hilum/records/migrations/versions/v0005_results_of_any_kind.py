"""A result may be something else than a DICOM object: it has an identity and a media type.

Until now every result was a DICOM object, known by its SOP Instance UID. Names of kinds that other
packages bring are longer, and so are variants with such names.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

result = sa.table("result", sa.column("media_type"))


def upgrade() -> None:
    """Say of every result that it is a DICOM object."""
    op.add_column("result", sa.Column("media_type", sa.String(64)))
    op.execute(sa.update(result).values(media_type="application/dicom"))
    with op.batch_alter_table("result") as table:
        table.alter_column("media_type", existing_type=sa.String(64), nullable=False)
        table.alter_column("sop_instance_uid", new_column_name="identity")
        table.alter_column("kind", existing_type=sa.String(16), type_=sa.String(32))
        table.alter_column("variant", existing_type=sa.String(64), type_=sa.String(255))
    with op.batch_alter_table("delivery") as table:
        table.alter_column("variant", existing_type=sa.String(64), type_=sa.String(255))
