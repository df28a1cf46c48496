-- What `create_all` of commit 8df7d2a added, on SQLite and PostgreSQL.

CREATE TABLE decision (
	study_uid VARCHAR(64) NOT NULL,
	identity VARCHAR(64) NOT NULL,
	at FLOAT NOT NULL,
	PRIMARY KEY (study_uid)
);
