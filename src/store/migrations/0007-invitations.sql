CREATE TABLE invitations (
  token TEXT PRIMARY KEY NOT NULL,
  inviter TEXT,
  kind TEXT NOT NULL,
  registers INTEGER NOT NULL,
  befriends INTEGER NOT NULL,
  username TEXT,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  used_at INTEGER,
  used_by TEXT
) STRICT;
CREATE INDEX invitations_inviter ON invitations (inviter, created_at);
CREATE INDEX invitations_username ON invitations (username);
