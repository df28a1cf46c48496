-- What `create_all` of commit 25eb5b0 added, on SQLite and PostgreSQL.

CREATE TABLE refusal (
	kind VARCHAR(32) NOT NULL,
	address VARCHAR(64) NOT NULL,
	caller VARCHAR(16) NOT NULL,
	called VARCHAR(16) NOT NULL,
	reason TEXT NOT NULL,
	first_at FLOAT NOT NULL,
	last_at FLOAT NOT NULL,
	count BIGINT NOT NULL,
	PRIMARY KEY (kind, address, caller, called)
);
