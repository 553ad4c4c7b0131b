CREATE TABLE messages (
  position INTEGER PRIMARY KEY NOT NULL,
  account TEXT NOT NULL,
  id TEXT NOT NULL,
  "with" TEXT NOT NULL,
  resource TEXT NOT NULL,
  at INTEGER NOT NULL,
  sent INTEGER NOT NULL,
  archived INTEGER NOT NULL,
  waits INTEGER NOT NULL,
  id_hash INTEGER,
  stanza TEXT NOT NULL
) STRICT;
CREATE INDEX messages_account ON messages (account, position);
CREATE INDEX messages_with ON messages (account, "with", position, id_hash);

CREATE TABLE messages_taken (
  account TEXT PRIMARY KEY NOT NULL,
  position INTEGER NOT NULL
) STRICT;

CREATE TABLE archive_preferences (
  account TEXT PRIMARY KEY NOT NULL,
  "default" TEXT NOT NULL,
  always TEXT NOT NULL,
  never TEXT NOT NULL
) STRICT;

-- Offline messages wait on, with the positions that their ids stand for (src/xmpp/id.ts).
WITH RECURSIVE digits (account, id, stanza, hex, at, value) AS (
  SELECT account, id, stanza, substr(id, 1, 8) || substr(id, 10, 4) || substr(id, 16, 3), 1, 0 FROM offline_messages
  UNION ALL
  SELECT account, id, stanza, hex, at + 1, value * 16 + instr('0123456789abcdef', substr(hex, at, 1)) - 1
  FROM digits WHERE at <= length(hex)
), senders AS (
  SELECT account, id, stanza, value, substr(stanza, instr(stanza, ' from="') + 7) AS sender FROM digits WHERE at > length(hex)
)
INSERT INTO messages
SELECT
  value - 1577836800000 * 4096, account, id,
  substr(sender, 1, min(instr(sender || '/', '/'), instr(sender, '"')) - 1), '',
  value / 4096, 0, 0, 1, NULL, stanza
FROM senders;
DROP TABLE offline_messages;
