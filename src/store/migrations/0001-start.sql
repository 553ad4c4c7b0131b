CREATE TABLE accounts (
  local TEXT PRIMARY KEY NOT NULL,
  admin INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL,
  removed_at INTEGER,
  cleared INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE credentials (
  local TEXT NOT NULL,
  hash TEXT NOT NULL,
  salt TEXT NOT NULL,
  iterations INTEGER NOT NULL,
  stored_key TEXT NOT NULL,
  server_key TEXT NOT NULL,
  PRIMARY KEY (local, hash)
) STRICT;

CREATE TABLE secrets (
  name TEXT PRIMARY KEY NOT NULL,
  value TEXT NOT NULL
) STRICT;

CREATE TABLE rosters (
  account TEXT PRIMARY KEY NOT NULL,
  version INTEGER NOT NULL,
  complete_since INTEGER NOT NULL
) STRICT;

CREATE TABLE roster_items (
  account TEXT NOT NULL,
  jid TEXT NOT NULL,
  name TEXT,
  groups TEXT NOT NULL,
  subscription TEXT NOT NULL,
  ask INTEGER NOT NULL,
  approved INTEGER NOT NULL,
  removed INTEGER NOT NULL,
  version INTEGER NOT NULL,
  PRIMARY KEY (account, jid)
) STRICT;

CREATE TABLE subscription_requests (
  account TEXT NOT NULL,
  jid TEXT NOT NULL,
  stanza TEXT NOT NULL,
  received_at INTEGER NOT NULL,
  PRIMARY KEY (account, jid)
) STRICT;

CREATE TABLE last_seen (
  account TEXT PRIMARY KEY NOT NULL,
  at INTEGER NOT NULL,
  status TEXT
) STRICT;

CREATE TABLE vcards (
  account TEXT PRIMARY KEY NOT NULL,
  xml TEXT NOT NULL
) STRICT;

CREATE TABLE pubsub_nodes (
  service TEXT NOT NULL,
  node TEXT NOT NULL,
  config TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (service, node)
) STRICT;

CREATE TABLE pubsub_items (
  service TEXT NOT NULL,
  node TEXT NOT NULL,
  id TEXT NOT NULL,
  position TEXT NOT NULL,
  publisher TEXT NOT NULL,
  payload TEXT,
  published_at INTEGER NOT NULL,
  expires_at INTEGER,
  PRIMARY KEY (service, node, id)
) STRICT;
CREATE INDEX pubsub_items_position ON pubsub_items (service, node, position);
CREATE INDEX pubsub_items_expiry ON pubsub_items (expires_at);

CREATE TABLE pubsub_affiliations (
  service TEXT NOT NULL,
  node TEXT NOT NULL,
  jid TEXT NOT NULL,
  affiliation TEXT NOT NULL,
  PRIMARY KEY (service, node, jid)
) STRICT;

CREATE TABLE pubsub_subscriptions (
  service TEXT NOT NULL,
  node TEXT NOT NULL,
  jid TEXT NOT NULL,
  subid TEXT NOT NULL,
  state TEXT NOT NULL,
  options TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (service, node, jid, subid)
) STRICT;
CREATE INDEX pubsub_subscriptions_jid ON pubsub_subscriptions (jid);

CREATE TABLE posts (
  author TEXT NOT NULL,
  id TEXT NOT NULL,
  atom_id TEXT NOT NULL,
  title TEXT NOT NULL,
  titled INTEGER NOT NULL,
  text TEXT NOT NULL,
  html TEXT NOT NULL,
  tags TEXT NOT NULL,
  language TEXT,
  public INTEGER NOT NULL,
  published_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  deleted_at INTEGER,
  PRIMARY KEY (author, id)
) STRICT;
CREATE INDEX posts_published ON posts (author, published_at, id);
CREATE INDEX posts_site ON posts (published_at, id);

CREATE TABLE post_tags (
  author TEXT NOT NULL,
  post_id TEXT NOT NULL,
  tag TEXT NOT NULL,
  published_at INTEGER NOT NULL,
  PRIMARY KEY (author, post_id, tag)
) STRICT;
CREATE INDEX post_tags_tag ON post_tags (tag, published_at, post_id);
CREATE INDEX post_tags_author ON post_tags (tag, author, published_at, post_id);

CREATE TABLE post_messages (
  author TEXT NOT NULL,
  message_id TEXT NOT NULL,
  post_id TEXT NOT NULL,
  digest TEXT NOT NULL,
  PRIMARY KEY (author, message_id)
) STRICT;

CREATE TABLE feed_changes (
  scope TEXT PRIMARY KEY NOT NULL,
  changes INTEGER NOT NULL,
  changed_at INTEGER NOT NULL
) STRICT;
