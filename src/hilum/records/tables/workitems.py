"""Workitems, their results, and what readers say of these."""

import sqlalchemy as sa

from hilum.records.tables.schema import metadata

workitem = sa.Table(
    "workitem",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    # A WorkitemKind. Rows from before there was this column are runs where they have inputs, and
    # withdrawals where a result of kind "ko" belongs to them.
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("study_uid", sa.String(64), index=True, nullable=False),
    sa.Column("module", sa.String(64), nullable=False),
    sa.Column("version", sa.String(32), nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("weights_sha256", sa.String(64), nullable=False),
    sa.Column("rule", sa.JSON, nullable=False),
    sa.Column("rule_key", sa.String(64), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),  # a WorkitemState
    sa.Column("reason", sa.Text, nullable=False, default=""),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("launch", sa.Integer, nullable=False, default=0),  # how often the engine was given it
    sa.Column("runs", sa.Integer, nullable=False, default=0),  # how often its analysis was begun
    sa.Column("inputs", sa.JSON, nullable=False),  # input name -> files in the study's folder
    sa.Column("siblings", sa.JSON, nullable=False),  # one file of every series and patient
    sa.Column("verdicts", sa.JSON, nullable=False),
    sa.Column("incomplete", sa.Text),
    sa.Column("failure", sa.Text),
    sa.Column("predecessor", sa.String(64)),
    sa.Column("superseded_by", sa.String(64)),
    sa.Column("findings", sa.JSON(none_as_null=True)),
    sa.Column("asked", sa.Boolean, nullable=False, default=False),  # by a person, not by a rule
    sa.Column("at_once", sa.Boolean, nullable=False, default=False),  # first, and at any hour
    sa.Column("used", sa.JSON, nullable=False, default={}),  # input name -> run of another module
    sa.Column("priors", sa.JSON, nullable=False, default={}),  # input name -> earlier exams
    sa.Column("about", sa.String(64)),  # of a note, unless an older Hilum has made it: the run
    sa.Index("ix_workitem_state_study", "state", "study_uid"),  # which studies are unfinished
    sa.Index("ix_workitem_module_created", "module", "created"),  # the last ones of a module
    sa.Index("ix_workitem_state_module", "state", "module", "created"),  # how many, since when
)

result = sa.Table(
    "result",
    metadata,
    sa.Column("identity", sa.String(64), primary_key=True),  # SOP Instance UID, or a derived one
    sa.Column("variant", sa.String(255), primary_key=True),  # DestinationSettings.variant
    sa.Column("workitem_id", sa.String(64), index=True, nullable=False),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("media_type", sa.String(64), nullable=False),
    sa.Column("sop_class_uid", sa.String(64), nullable=False),  # "" of what is no DICOM object
    sa.Column("path", sa.Text, nullable=False),  # below the data folder
)

assessment = sa.Table(
    "assessment",  # what readers said of results; rows are added and never changed
    metadata,
    sa.Column("workitem_id", sa.String(64), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),  # of those of one result, from 1
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("reader", sa.String(64), nullable=False),  # name, for people
    sa.Column("identity", sa.Text, nullable=False),  # who that is for sure
    sa.Column("decision", sa.String(16), nullable=False),  # an AssessmentDecision
    sa.Column("reason", sa.Text, nullable=False),  # free text, for those who see patients
    # Of what a DICOM object says: the calling AE title that it came from, and the object.
    sa.Column("sender", sa.String(64), nullable=False, default=""),
    sa.Column("object_uid", sa.String(64), nullable=False, default="", index=True),
)

subject = sa.Table(
    "subject",  # some of the images of a workitem: so it is known again in another study
    metadata,
    sa.Column("workitem_id", sa.String(64), primary_key=True),
    sa.Column("image", sa.String(64), primary_key=True, index=True),  # name of the file
    sa.Column("study_uid", sa.String(64), nullable=False),
    sa.Column("label", sa.String(64), nullable=False),
)
duration = sa.Table(
    "duration",  # of analyses that gave findings: how many of a module took how long
    metadata,
    sa.Column("module", sa.String(64), primary_key=True),
    sa.Column("at_most", sa.Float, primary_key=True),  # in s; infinite for the longest
    sa.Column("number", sa.BigInteger, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),  # of all these together
)
