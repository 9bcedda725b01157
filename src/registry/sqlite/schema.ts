// The registry's tables. Laid out for a million things: names of tags are numbered, only what may be found is in the
// search indices, and every question the component asks is answered by one index.

import type { Migration } from "#store/database.ts";

export const registryMigrations: readonly Migration[] = [
  {
    version: 1,
    name: "things, decisions, traffic",
    sql: `
CREATE TABLE thing (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  jid TEXT NOT NULL,
  node TEXT NOT NULL,
  source TEXT NOT NULL,
  partition TEXT NOT NULL,
  state TEXT NOT NULL,
  prior TEXT,
  owner TEXT,
  claim_digest BLOB,
  registered_at INTEGER NOT NULL,
  claimed_at INTEGER,
  UNIQUE (jid, node, source, partition)
) STRICT;
CREATE INDEX thing_owner ON thing (owner, id) WHERE owner IS NOT NULL;
CREATE INDEX thing_owned ON thing (jid, owner, claimed_at) WHERE owner IS NOT NULL;
CREATE INDEX thing_digest ON thing (claim_digest) WHERE claim_digest IS NOT NULL;
CREATE INDEX thing_disowning ON thing (id) WHERE state = 'disowning';

CREATE TABLE tag_name (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
) STRICT;
-- shown: the name as first written, where it is not in upper case. listed: the thing may be found by strangers.
CREATE TABLE tag (
  thing INTEGER NOT NULL REFERENCES thing (id) ON DELETE CASCADE,
  name INTEGER NOT NULL REFERENCES tag_name (id),
  shown TEXT,
  str TEXT,
  num REAL,
  listed INTEGER NOT NULL,
  PRIMARY KEY (thing, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX tag_str ON tag (name, str, thing) WHERE listed = 1 AND str IS NOT NULL;
CREATE INDEX tag_num ON tag (name, num, thing) WHERE listed = 1 AND num IS NOT NULL;

-- names: JSON array, NULL = every name.
CREATE TABLE rule (
  thing INTEGER NOT NULL REFERENCES thing (id) ON DELETE CASCADE,
  kind TEXT NOT NULL,
  origin TEXT NOT NULL,
  value TEXT NOT NULL,
  allow INTEGER NOT NULL,
  categories INTEGER NOT NULL,
  names TEXT,
  question TEXT NOT NULL,
  learned_at INTEGER NOT NULL,
  PRIMARY KEY (thing, kind, origin, value)
) STRICT, WITHOUT ROWID;

CREATE TABLE question (
  key TEXT PRIMARY KEY,
  thing INTEGER NOT NULL REFERENCES thing (id) ON DELETE CASCADE,
  kind TEXT NOT NULL,
  remote TEXT NOT NULL,
  remote_domain TEXT NOT NULL,
  owner TEXT NOT NULL,
  tokens TEXT NOT NULL,
  categories INTEGER NOT NULL,
  names TEXT NOT NULL,
  asked_at INTEGER NOT NULL,
  sent_at INTEGER NOT NULL,
  tries INTEGER NOT NULL,
  open INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX question_open ON question (thing, kind, remote) WHERE open = 1;
CREATE INDEX question_owner ON question (owner, remote_domain) WHERE open = 1;
CREATE INDEX question_unsent ON question (owner) WHERE open = 1 AND sent_at = 0;
CREATE INDEX question_thing ON question (thing);
CREATE INDEX question_age ON question (asked_at);

CREATE TABLE pending (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  jid TEXT NOT NULL,
  what TEXT NOT NULL,
  node TEXT NOT NULL,
  source TEXT NOT NULL,
  partition TEXT NOT NULL,
  owner TEXT,
  is_public INTEGER NOT NULL,
  tries INTEGER NOT NULL,
  due INTEGER,
  UNIQUE (jid, what, node, source, partition)
) STRICT;
CREATE INDEX pending_due ON pending (due) WHERE due IS NOT NULL;

CREATE TABLE peer (
  jid TEXT PRIMARY KEY,
  generation TEXT NOT NULL,
  presence_to TEXT NOT NULL,
  presence_from INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX peer_presence ON peer (jid) WHERE presence_to = 'both';
`,
  },
  {
    version: 2,
    name: "tags in one piece, and an index of those that may be found",
    sql: `
-- What a thing says of itself, [name, value] in turn, whoever may see it.
CREATE TABLE saying (
  thing INTEGER PRIMARY KEY REFERENCES thing (id) ON DELETE CASCADE,
  tags TEXT NOT NULL
) STRICT;
INSERT INTO saying (thing, tags)
  SELECT thing, json_group_array(json_array(coalesce(shown, tag_name.name), coalesce(str, num)))
  FROM tag JOIN tag_name ON tag_name.id = tag.name GROUP BY thing;
-- Each text of a tag that may be found, once, however many things have it; gone with the last of them.
CREATE TABLE term (
  id INTEGER PRIMARY KEY,
  name INTEGER NOT NULL REFERENCES tag_name (id),
  str TEXT NOT NULL,
  UNIQUE (name, str)
) STRICT;
INSERT INTO term (name, str) SELECT DISTINCT name, str FROM tag WHERE str IS NOT NULL AND listed = 1;
-- For masks that begin anywhere: which texts hold which three letters.
CREATE VIRTUAL TABLE term_text USING fts5 (
  str, content = 'term', content_rowid = 'id', tokenize = 'trigram case_sensitive 1', detail = none, columnsize = 0
);
INSERT INTO term_text (term_text) VALUES ('rebuild');
-- Tags of things that may be found, and of no others.
CREATE TABLE found_tag (
  thing INTEGER NOT NULL REFERENCES thing (id) ON DELETE CASCADE,
  name INTEGER NOT NULL REFERENCES tag_name (id),
  term INTEGER,
  num REAL,
  PRIMARY KEY (thing, name)
) STRICT, WITHOUT ROWID;
INSERT INTO found_tag (thing, name, term, num)
  SELECT thing, tag.name, term.id, num FROM tag LEFT JOIN term ON term.name = tag.name AND term.str = tag.str
  WHERE listed = 1;
DROP TABLE tag;
ALTER TABLE found_tag RENAME TO tag;
CREATE INDEX tag_term ON tag (term, thing) WHERE term IS NOT NULL;
CREATE INDEX tag_num ON tag (name, num, thing) WHERE num IS NOT NULL;
`,
  },
  {
    version: 3,
    name: "tokens",
    sql: `
CREATE TABLE token (
  token TEXT PRIMARY KEY,
  account TEXT NOT NULL,
  certificate BLOB NOT NULL,
  digest BLOB NOT NULL,
  key_digest BLOB NOT NULL,
  issued_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  revoked_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX token_account ON token (account, digest) WHERE revoked_at IS NULL;
CREATE INDEX token_expiry ON token (expires_at) WHERE revoked_at IS NULL;
CREATE INDEX rule_token ON rule (value) WHERE origin IN ('user', 'device', 'service');
`,
  },
];
