CREATE TABLE clients (
  account TEXT NOT NULL,
  client TEXT NOT NULL,
  id TEXT NOT NULL UNIQUE,
  software TEXT,
  device TEXT,
  first_seen INTEGER NOT NULL,
  last_seen INTEGER NOT NULL,
  knows_password INTEGER NOT NULL,
  PRIMARY KEY (account, client)
) STRICT;
CREATE INDEX clients_seen ON clients (last_seen);

CREATE TABLE tokens (
  account TEXT NOT NULL,
  client TEXT NOT NULL,
  slot TEXT NOT NULL,
  mechanism TEXT NOT NULL,
  token TEXT NOT NULL,
  count INTEGER,
  issued_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  PRIMARY KEY (account, client, slot)
) STRICT;
CREATE INDEX tokens_expiry ON tokens (expires_at);

CREATE TABLE app_passwords (
  id TEXT NOT NULL PRIMARY KEY,
  account TEXT NOT NULL,
  name TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  used_at INTEGER
) STRICT;
CREATE INDEX app_passwords_account ON app_passwords (account, name);

CREATE TABLE app_verifiers (
  account TEXT NOT NULL,
  hash TEXT NOT NULL,
  app_password TEXT NOT NULL,
  stored_key TEXT NOT NULL,
  server_key TEXT NOT NULL,
  PRIMARY KEY (account, hash, app_password)
) STRICT;
