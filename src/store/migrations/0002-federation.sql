CREATE TABLE outbound (
  local TEXT NOT NULL,
  domain TEXT NOT NULL,
  id TEXT NOT NULL,
  kind TEXT NOT NULL,
  item_key TEXT UNIQUE,
  stanza TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  queued_at INTEGER NOT NULL,
  PRIMARY KEY (local, domain, id)
) STRICT;
CREATE INDEX outbound_age ON outbound (local, domain, kind, queued_at);

CREATE TABLE outbound_domains (
  local TEXT NOT NULL,
  domain TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  failing_since INTEGER,
  tried_at INTEGER,
  next_at INTEGER NOT NULL,
  condition TEXT,
  reason TEXT,
  PRIMARY KEY (local, domain)
) STRICT;
CREATE INDEX outbound_domains_next ON outbound_domains (next_at);
CREATE INDEX outbound_domains_failing ON outbound_domains (failing_since, next_at);

CREATE TABLE offline_messages (
  account TEXT NOT NULL,
  id TEXT NOT NULL,
  length INTEGER NOT NULL,
  stanza TEXT NOT NULL,
  PRIMARY KEY (account, id)
) STRICT;

CREATE TABLE follows (
  account TEXT NOT NULL,
  target TEXT NOT NULL,
  domain TEXT NOT NULL,
  state TEXT NOT NULL,
  condition TEXT,
  reason TEXT,
  followed_at INTEGER NOT NULL,
  next_at INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  checked_at INTEGER,
  PRIMARY KEY (account, target)
) STRICT;
CREATE INDEX follows_domain ON follows (domain, next_at);
CREATE INDEX follows_next ON follows (next_at);

CREATE TABLE timelines (
  account TEXT NOT NULL,
  service TEXT NOT NULL,
  node TEXT NOT NULL,
  item TEXT NOT NULL,
  position TEXT NOT NULL,
  payload TEXT NOT NULL,
  published_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  received_at INTEGER NOT NULL,
  deleted_at INTEGER,
  told INTEGER NOT NULL,
  message_id TEXT,
  PRIMARY KEY (account, service, node, item)
) STRICT;
CREATE INDEX timelines_position ON timelines (account, position);
CREATE INDEX timelines_told ON timelines (account, told, position);
