"""The tables of our records. models.py says what their rows mean.

Names of patients, their IDs, accession numbers and descriptions stand in `listing` alone; what a
person wrote of a `request` may be one, until it is answered. The other tables hold UIDs and our own
ids. What a reader gives as reason is free text (`assessment`).
"""

import sqlalchemy as sa

metadata = sa.MetaData()

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
destination = sa.Table(
    "destination",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("state", sa.String(16), nullable=False),  # a DestinationState
    sa.Column("since", sa.Float, nullable=False),  # when it came into that state
    sa.Column("problem", sa.Text, nullable=False, default=""),  # why it is unreachable
    sa.Column("lag_seconds", sa.Float, nullable=False, default=0.0),  # longest until it showed one
)
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
duration = sa.Table(
    "duration",  # of analyses that gave findings: how many of a module took how long
    metadata,
    sa.Column("module", sa.String(64), primary_key=True),
    sa.Column("at_most", sa.Float, primary_key=True),  # in s; infinite for the longest
    sa.Column("number", sa.BigInteger, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),  # of all these together
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
subject = sa.Table(
    "subject",  # some of the images of a workitem: so it is known again in another study
    metadata,
    sa.Column("workitem_id", sa.String(64), primary_key=True),
    sa.Column("image", sa.String(64), primary_key=True, index=True),  # name of the file
    sa.Column("study_uid", sa.String(64), nullable=False),
    sa.Column("label", sa.String(64), nullable=False),
)
upload = sa.Table(
    "upload",  # where the results of a study go that a person has uploaded
    metadata,
    sa.Column("study_uid", sa.String(64), primary_key=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("destinations", sa.JSON, nullable=False),  # their names
    sa.Column("images", sa.Boolean, nullable=False),  # whether the analysed images go along
)
step = sa.Table(
    "step",  # of a worklist: from when it is offered until the worklist knows how it ended
    metadata,
    sa.Column("worklist", sa.String(32), primary_key=True),
    sa.Column("uid", sa.String(64), primary_key=True),
    sa.Column("study_uid", sa.String(64), nullable=False, index=True),
    sa.Column("module", sa.String(64), nullable=False),
    sa.Column("code", sa.JSON, nullable=False),  # value, scheme and meaning
    sa.Column("state", sa.String(16), nullable=False),  # a StepState
    sa.Column("since", sa.Float, nullable=False),
    sa.Column("transaction_uid", sa.String(64), nullable=False, default=""),
    sa.Column("began_at", sa.Float),
    sa.Column("fetch", sa.Integer),  # the request that was made for it
    sa.Column("analysis", sa.Integer),  # and that one
    sa.Column("workitem_id", sa.String(64), nullable=False, default=""),
    sa.Column("told", sa.Text, nullable=False, default=""),
    sa.Column("reason", sa.Text, nullable=False, default=""),
    sa.Column("cancel_asked", sa.Boolean, nullable=False, default=False),
    sa.Column("problem", sa.Text, nullable=False, default=""),
)
alarm = sa.Table(
    "alarm",  # since when something is wrong; whether it still is, is asked anew each time
    metadata,
    sa.Column("name", sa.String(80), primary_key=True),
    sa.Column("severity", sa.String(16), nullable=False),  # a Severity
    sa.Column("since", sa.Float, nullable=False),
    sa.Column("told_at", sa.Float, nullable=False),  # the last time
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("cure", sa.Text, nullable=False),
    sa.Column("studies", sa.JSON, nullable=False),
)
notice = sa.Table(
    "notice",  # that an alarm has begun, still stands or has ended, until a notifier has told it
    metadata,
    sa.Column("notifier", sa.String(32), primary_key=True),
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("message", sa.String(64), nullable=False, default=""),  # that it is told in
    sa.Column("alarm", sa.String(80), nullable=False),
    sa.Column("severity", sa.String(16), nullable=False),  # a Severity
    sa.Column("change", sa.String(16), nullable=False),  # an AlarmChange
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("since", sa.Float, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("cure", sa.Text, nullable=False),
    sa.Column("studies", sa.JSON, nullable=False),
)
notifier = sa.Table(
    "notifier",  # how each stands
    metadata,
    sa.Column("name", sa.String(32), primary_key=True),
    sa.Column("sent_at", sa.Float, nullable=False, default=0.0),  # the last message
    sa.Column("attempts", sa.Integer, nullable=False, default=0),  # that failed, since then
    sa.Column("next_attempt", sa.Float, nullable=False, default=0.0),
    sa.Column("failing_since", sa.Float),
    sa.Column("problem", sa.Text, nullable=False, default=""),  # of the last attempt
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

request = sa.Table(
    "request",  # what a person asked for, until the gateway has done it
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("action", sa.String(16), nullable=False),  # a RequestAction
    sa.Column("workitem_id", sa.String(64), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("answer", sa.Text),
    sa.Column("done", sa.Boolean, nullable=False, default=False),
    sa.Column("study_uid", sa.String(64), nullable=False, default=""),
    sa.Column("wish", sa.JSON, nullable=False, default=dict),  # a Wish
    sa.Column("progress", sa.Text, nullable=False, default=""),
)
worklist = sa.Table(
    "worklist",
    metadata,
    sa.Column("name", sa.String(32), primary_key=True),
    sa.Column("state", sa.String(16), nullable=False),  # a WorklistState
    sa.Column("since", sa.Float, nullable=False),  # when it came into that state
    sa.Column("problem", sa.Text, nullable=False, default=""),  # why it cannot be worked from
)
