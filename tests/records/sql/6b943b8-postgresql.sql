-- The tables of commit 6b943b8 on postgresql, written by SQLAlchemy's CreateTable from its own definitions.

CREATE TABLE alarm (
	name VARCHAR(16) NOT NULL,
	since FLOAT NOT NULL,
	PRIMARY KEY (name)
);

CREATE TABLE delivery (
	workitem_id VARCHAR(64) NOT NULL,
	destination VARCHAR(64) NOT NULL,
	variant VARCHAR(64) NOT NULL,
	images BOOLEAN NOT NULL,
	state VARCHAR(16) NOT NULL,
	owed_at FLOAT NOT NULL,
	attempts INTEGER NOT NULL,
	reason TEXT NOT NULL,
	next_attempt FLOAT NOT NULL,
	verified_at FLOAT,
	PRIMARY KEY (workitem_id, destination)
);

CREATE INDEX ix_delivery_state ON delivery (state);

CREATE TABLE destination (
	name VARCHAR(64) NOT NULL,
	state VARCHAR(16) NOT NULL,
	since FLOAT NOT NULL,
	problem TEXT NOT NULL,
	PRIMARY KEY (name)
);

CREATE TABLE event (
	id SERIAL NOT NULL,
	at FLOAT NOT NULL,
	study_uid VARCHAR(64) NOT NULL,
	workitem_id VARCHAR(64) NOT NULL,
	kind VARCHAR(32) NOT NULL,
	text TEXT NOT NULL,
	PRIMARY KEY (id)
);

CREATE INDEX ix_event_study_uid ON event (study_uid);

CREATE TABLE executor (
	id VARCHAR(64) NOT NULL,
	role VARCHAR(16) NOT NULL,
	host VARCHAR(255) NOT NULL,
	pid INTEGER NOT NULL,
	started VARCHAR(32) NOT NULL,
	beat_at FLOAT NOT NULL,
	PRIMARY KEY (id)
);

CREATE TABLE removal (
	study_uid VARCHAR(64) NOT NULL,
	at FLOAT NOT NULL,
	reason TEXT NOT NULL,
	images INTEGER NOT NULL,
	bytes BIGINT NOT NULL,
	results INTEGER NOT NULL,
	PRIMARY KEY (study_uid)
);

CREATE TABLE request (
	id SERIAL NOT NULL,
	at FLOAT NOT NULL,
	action VARCHAR(16) NOT NULL,
	workitem_id VARCHAR(64) NOT NULL,
	reason TEXT NOT NULL,
	answer TEXT,
	done BOOLEAN NOT NULL,
	PRIMARY KEY (id)
);

CREATE TABLE result (
	sop_instance_uid VARCHAR(64) NOT NULL,
	variant VARCHAR(64) NOT NULL,
	workitem_id VARCHAR(64) NOT NULL,
	kind VARCHAR(16) NOT NULL,
	sop_class_uid VARCHAR(64) NOT NULL,
	path TEXT NOT NULL,
	PRIMARY KEY (sop_instance_uid, variant)
);

CREATE INDEX ix_result_workitem_id ON result (workitem_id);

CREATE TABLE source (
	name VARCHAR(32) NOT NULL,
	cursor TEXT NOT NULL,
	state VARCHAR(16) NOT NULL,
	since FLOAT NOT NULL,
	problem TEXT NOT NULL,
	problem_at FLOAT,
	seen_at FLOAT,
	behind INTEGER NOT NULL,
	fetched INTEGER NOT NULL,
	fetched_at FLOAT,
	PRIMARY KEY (name)
);

CREATE TABLE study (
	study_uid VARCHAR(64) NOT NULL,
	folder VARCHAR(64) NOT NULL,
	images INTEGER NOT NULL,
	settled_images INTEGER NOT NULL,
	first_at FLOAT NOT NULL,
	last_at FLOAT NOT NULL,
	PRIMARY KEY (study_uid),
	UNIQUE (folder)
);

CREATE TABLE workitem (
	id VARCHAR(64) NOT NULL,
	study_uid VARCHAR(64) NOT NULL,
	module VARCHAR(64) NOT NULL,
	version VARCHAR(32) NOT NULL,
	title TEXT NOT NULL,
	weights_sha256 VARCHAR(64) NOT NULL,
	rule JSON NOT NULL,
	rule_key VARCHAR(64) NOT NULL,
	state VARCHAR(16) NOT NULL,
	reason TEXT NOT NULL,
	created FLOAT NOT NULL,
	launch INTEGER NOT NULL,
	runs INTEGER NOT NULL,
	inputs JSON NOT NULL,
	siblings JSON NOT NULL,
	verdicts JSON NOT NULL,
	incomplete TEXT,
	failure TEXT,
	predecessor VARCHAR(64),
	superseded_by VARCHAR(64),
	findings JSON,
	PRIMARY KEY (id)
);

CREATE INDEX ix_workitem_state ON workitem (state);

CREATE INDEX ix_workitem_study_uid ON workitem (study_uid);

