CREATE TABLE blocked (
  account TEXT NOT NULL,
  jid TEXT NOT NULL,
  PRIMARY KEY (account, jid)
) STRICT;

CREATE TABLE reports (
  id TEXT NOT NULL PRIMARY KEY,
  account TEXT NOT NULL,
  jid TEXT NOT NULL,
  reason TEXT NOT NULL,
  report TEXT NOT NULL,
  reported_at INTEGER NOT NULL
) STRICT;
CREATE INDEX reports_account ON reports (account, reported_at);

CREATE TABLE private_xml (
  account TEXT NOT NULL,
  xmlns TEXT NOT NULL,
  name TEXT NOT NULL,
  xml TEXT NOT NULL,
  PRIMARY KEY (account, xmlns, name)
) STRICT;
