CREATE TABLE hibernated_sessions (
  id TEXT NOT NULL PRIMARY KEY,
  account TEXT NOT NULL,
  jid TEXT NOT NULL,
  expires_at INTEGER NOT NULL,
  complete_to INTEGER NOT NULL,
  state TEXT NOT NULL
) STRICT;
CREATE INDEX hibernated_sessions_account ON hibernated_sessions (account);

CREATE TABLE hibernated_stanzas (
  session TEXT NOT NULL,
  position INTEGER NOT NULL,
  archive_id TEXT,
  at INTEGER NOT NULL,
  stanza TEXT NOT NULL,
  PRIMARY KEY (session, position)
) STRICT;
