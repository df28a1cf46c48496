"""Studies, what happened to them, and the line by which they are found."""

import sqlalchemy as sa

from hilum.records.tables.schema import metadata

event = sa.Table(
    "event",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("study_uid", sa.String(64), index=True, nullable=False),
    sa.Column("workitem_id", sa.String(64), nullable=False, default=""),
    sa.Column("kind", sa.String(32), nullable=False),  # an EventKind
    sa.Column("text", sa.Text, nullable=False),
)

study = sa.Table(
    "study",
    metadata,
    sa.Column("study_uid", sa.String(64), primary_key=True),
    sa.Column("folder", sa.String(64), unique=True, nullable=False),
    sa.Column("images", sa.Integer, nullable=False),
    sa.Column("settled_images", sa.Integer, nullable=False, default=0),
    sa.Column("first_at", sa.Float, nullable=False),
    sa.Column("last_at", sa.Float, nullable=False),
    sa.Column("reason", sa.Text, nullable=False, default=""),  # what it waits for, or why no rule
    sa.Column("patience", sa.Float, nullable=False, default=0.0),
    sa.Index("ix_study_last_at", "last_at", "study_uid"),  # the list of studies
)

address = sa.Table(
    "address",  # what a study is called in URLs: by chance, so that nobody can work it out
    metadata,
    sa.Column("study_uid", sa.String(64), primary_key=True),
    sa.Column("address", sa.String(12), unique=True, nullable=False),
)

listing = sa.Table(
    "listing",  # of each study the line that lists show, and by which it is found
    metadata,
    sa.Column("study_uid", sa.String(64), primary_key=True),
    sa.Column("last_at", sa.Float, nullable=False),  # as in `study`
    # How it stands, as `hilum.records.listing` makes it of the other tables.
    sa.Column("state", sa.String(16), nullable=False),  # a StudyState, "" until it was made
    sa.Column("urgency", sa.Integer, nullable=False),  # of that state
    sa.Column("shown", sa.Integer, nullable=False),  # destinations that have proven the results
    sa.Column("destinations", sa.Integer, nullable=False),  # that are to have them
    sa.Column("removed", sa.Boolean, nullable=False),  # its images
    sa.Column("modules", sa.Text, nullable=False),  # that could analyse it, marked
    sa.Column("passed_over", sa.Text, nullable=False),  # that could not, marked
    sa.Column("states", sa.Text, nullable=False),  # of its workitems and itself, marked
    sa.Column("assessments", sa.Text, nullable=False),  # how its results stand, marked
    # What its images say; patient data go with them.
    sa.Column("noted", sa.Boolean, nullable=False),  # that was written
    sa.Column("modalities", sa.Text, nullable=False),  # marked
    sa.Column("study_date", sa.String(8), nullable=False),  # YYYYMMDD
    sa.Column("patient_id", sa.String(64), nullable=False),
    sa.Column("issuer", sa.String(64), nullable=False),
    sa.Column("patient_name", sa.Text, nullable=False),
    sa.Column("accession_number", sa.String(64), nullable=False),
    sa.Column("description", sa.String(64), nullable=False),
    # The same as it is searched: folded, every value that any image states on a line of its own.
    sa.Column("patient_id_key", sa.Text, nullable=False),
    sa.Column("patient_name_key", sa.Text, nullable=False),
    sa.Column("accession_number_key", sa.Text, nullable=False),
    sa.Column("description_key", sa.Text, nullable=False),
    sa.Column("reason_key", sa.Text, nullable=False),  # of all workitems
    sa.Column("reason", sa.Text, nullable=False),  # of the one that its state is of
    sa.Column("caution", sa.Text, nullable=False),
    sa.Index("ix_listing_last_at", "last_at", "study_uid"),
    sa.Index("ix_listing_noted", "noted"),
    sa.Index("ix_listing_urgency", "urgency", "last_at", "study_uid"),
)

removal = sa.Table(
    "removal",  # of studies whose images a rule has removed, as long as they have not come again
    metadata,
    sa.Column("study_uid", sa.String(64), primary_key=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("images", sa.Integer, nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("results", sa.Integer, nullable=False),  # workitems whose files are gone, too
)

upload = sa.Table(
    "upload",  # where the results of a study go that a person has uploaded
    metadata,
    sa.Column("study_uid", sa.String(64), primary_key=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("destinations", sa.JSON, nullable=False),  # their names
    sa.Column("images", sa.Boolean, nullable=False),  # whether the analysed images go along
)
