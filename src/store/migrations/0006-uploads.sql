CREATE TABLE uploads (
  id TEXT PRIMARY KEY NOT NULL,
  account TEXT NOT NULL,
  purpose TEXT NOT NULL,
  name TEXT NOT NULL,
  type TEXT,
  size INTEGER NOT NULL,
  uploaded_at INTEGER,
  expires_at INTEGER,
  expire_before INTEGER
) STRICT;
CREATE INDEX uploads_account ON uploads (account, purpose);
CREATE INDEX uploads_expiry ON uploads (expires_at);

CREATE TABLE upload_links (
  service TEXT NOT NULL,
  node TEXT NOT NULL,
  item TEXT NOT NULL,
  upload TEXT NOT NULL,
  PRIMARY KEY (service, node, item, upload)
) STRICT;
CREATE INDEX upload_links_upload ON upload_links (upload);
