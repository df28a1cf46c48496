-- What `create_all` of commit e5aa36c added, on SQLite and PostgreSQL.

CREATE TABLE correction (
	study_uid VARCHAR(64) NOT NULL,
	identity VARCHAR(64) NOT NULL,
	at FLOAT NOT NULL,
	senders JSON NOT NULL,
	is_open BOOLEAN NOT NULL,
	PRIMARY KEY (study_uid, identity)
);

CREATE TABLE former (
	study_uid VARCHAR(64) NOT NULL,
	label VARCHAR(64) NOT NULL,
	at FLOAT NOT NULL,
	PRIMARY KEY (study_uid, label)
);

CREATE TABLE subject (
	workitem_id VARCHAR(64) NOT NULL,
	image VARCHAR(64) NOT NULL,
	study_uid VARCHAR(64) NOT NULL,
	label VARCHAR(64) NOT NULL,
	PRIMARY KEY (workitem_id, image)
);

CREATE INDEX ix_subject_image ON subject (image);
