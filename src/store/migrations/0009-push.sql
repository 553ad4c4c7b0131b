CREATE TABLE push_registrations (
  account TEXT NOT NULL,
  service TEXT NOT NULL,
  node TEXT NOT NULL,
  client TEXT,
  resource TEXT NOT NULL,
  app_password TEXT,
  options TEXT,
  wants_priority INTEGER NOT NULL,
  enabled_at INTEGER NOT NULL,
  pushed_at INTEGER,
  failures INTEGER NOT NULL,
  paused_until INTEGER,
  PRIMARY KEY (account, service, node)
) STRICT;
