-- What `create_all` of commit 2418c16 added, on SQLite and PostgreSQL.

CREATE TABLE refused (
	kind VARCHAR(32) NOT NULL,
	address VARCHAR(64) NOT NULL,
	caller VARCHAR(16) NOT NULL,
	called VARCHAR(16) NOT NULL,
	reason VARCHAR(300) NOT NULL,
	first_at FLOAT NOT NULL,
	last_at FLOAT NOT NULL,
	count BIGINT NOT NULL,
	PRIMARY KEY (kind, address, caller, called, reason)
);
