"""Lists of studies, the last results of a module and what is due at a destination have an index."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the new indexes; the first one takes the place of that on the state alone."""
    op.drop_index("ix_workitem_state", "workitem")
    op.create_index("ix_workitem_state_study", "workitem", ["state", "study_uid"])
    op.create_index("ix_workitem_module_created", "workitem", ["module", "created"])
    op.create_index("ix_delivery_due", "delivery", ["destination", "state", "next_attempt"])
    op.create_index("ix_study_last_at", "study", ["last_at", "study_uid"])
