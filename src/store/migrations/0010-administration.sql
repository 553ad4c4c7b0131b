ALTER TABLE accounts ADD COLUMN disabled_at INTEGER;

CREATE TABLE logins (
  local TEXT NOT NULL PRIMARY KEY,
  first_at INTEGER NOT NULL,
  last_at INTEGER,
  welcomed INTEGER NOT NULL,
  motd_at INTEGER
) STRICT;

-- Whoever is here already is not new; when they were last here is not known.
INSERT INTO logins (local, first_at, welcomed)
SELECT local, created_at, 1 FROM accounts WHERE removed_at IS NULL;

CREATE TABLE notices (
  name TEXT NOT NULL PRIMARY KEY,
  text TEXT NOT NULL,
  set_at INTEGER NOT NULL
) STRICT;
