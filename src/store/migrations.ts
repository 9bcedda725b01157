// The schema of each file of the edge, step by step. A released step is never edited: append the next one, with the next number.

import type { Migration } from "./database.ts";

/** edge.db, synchronous FULL: configuration, ownership and rules. */
export const edgeMigrations: readonly Migration[] = [
  {
    version: 1,
    name: "nodes",
    sql: `
      -- A NodeId is unique in its source, whatever the partition: clients that drop the partition still mean one node.
      CREATE TABLE nodes (
        source TEXT NOT NULL,
        node TEXT NOT NULL,
        partition TEXT NOT NULL,
        parent TEXT,
        type TEXT NOT NULL,
        settings TEXT NOT NULL,
        display_name TEXT NOT NULL,
        tags TEXT NOT NULL,
        position INTEGER NOT NULL,
        created_at INTEGER NOT NULL,
        changed_at INTEGER NOT NULL,
        PRIMARY KEY (source, node),
        FOREIGN KEY (source, parent) REFERENCES nodes (source, node)
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX nodes_by_parent ON nodes (source, parent, position);`,
  },
  {
    version: 2,
    name: "ownership",
    sql: `
      -- One row a thing; the appliance itself has three empty keys. claim_key is erased by the claim.
      CREATE TABLE things (
        source TEXT NOT NULL,
        node TEXT NOT NULL,
        partition TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('unregistered', 'registered', 'claimed')),
        owner TEXT CHECK ((owner IS NOT NULL) = (state = 'claimed')),
        is_public INTEGER,
        in_registry INTEGER NOT NULL,
        claim_key TEXT CHECK (claim_key IS NULL OR state <> 'claimed'),
        registry TEXT,
        tags TEXT NOT NULL,
        leaving INTEGER NOT NULL,
        PRIMARY KEY (source, node, partition)
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE services (role TEXT PRIMARY KEY, jid TEXT NOT NULL, generation TEXT NOT NULL) STRICT, WITHOUT ROWID;`,
  },
  {
    version: 3,
    name: "decisions",
    sql: `
      -- What one service said about one account of ours; both stand once, below.
      CREATE TABLE decisions (
        kind TEXT NOT NULL,
        source TEXT NOT NULL,
        node TEXT NOT NULL,
        partition TEXT NOT NULL,
        caller TEXT NOT NULL,
        tokens TEXT NOT NULL,
        categories INTEGER NOT NULL,
        names_digest TEXT NOT NULL,
        names TEXT NOT NULL,
        allow INTEGER NOT NULL,
        granted_categories INTEGER NOT NULL,
        granted_names TEXT,
        fetched_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        denials INTEGER NOT NULL,
        PRIMARY KEY (kind, source, node, partition, caller, tokens, categories, names_digest)
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE decision_epoch (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        service TEXT NOT NULL,
        account TEXT NOT NULL,
        epoch INTEGER NOT NULL
      ) STRICT;
      INSERT INTO decision_epoch VALUES (1, '', '', 0);`,
  },
  {
    version: 4,
    name: "grants",
    sql: `
      -- Roles given to others. Three empty keys are the whole appliance, as in things.
      CREATE TABLE grants (
        jid TEXT NOT NULL,
        role TEXT NOT NULL CHECK (role IN ('installer', 'viewer')),
        source TEXT NOT NULL,
        node TEXT NOT NULL,
        partition TEXT NOT NULL,
        giver TEXT NOT NULL,
        given_as TEXT NOT NULL CHECK (given_as IN ('appliance', 'node')),
        given_at INTEGER NOT NULL,
        until INTEGER,
        PRIMARY KEY (jid, role, source, node, partition, giver)
      ) STRICT, WITHOUT ROWID;`,
  },
  {
    version: 5,
    name: "node options",
    sql: "ALTER TABLE nodes ADD COLUMN options TEXT NOT NULL DEFAULT '{}';",
  },
  {
    version: 6,
    name: "publications",
    sql: `
      -- Nodes whose values are published, as their owners wish; readers as a JSON list of bare JIDs.
      CREATE TABLE publications (
        source TEXT NOT NULL,
        node TEXT NOT NULL,
        partition TEXT NOT NULL,
        owner TEXT NOT NULL,
        readers TEXT NOT NULL,
        min_seconds INTEGER NOT NULL,
        max_seconds INTEGER NOT NULL,
        deadband_percent REAL NOT NULL,
        PRIMARY KEY (source, node, partition)
      ) STRICT, WITHOUT ROWID;`,
  },
  {
    version: 7,
    name: "what drivers learn",
    sql: `
      CREATE TABLE driver_memory (
        driver TEXT NOT NULL,
        key TEXT NOT NULL,
        text TEXT NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (driver, key)
      ) STRICT, WITHOUT ROWID;`,
  },
  {
    version: 8,
    name: "who is kept out, and codes that let somebody in",
    sql: `
      CREATE TABLE blocked (jid TEXT PRIMARY KEY, at INTEGER NOT NULL, giver TEXT NOT NULL) STRICT, WITHOUT ROWID;
      -- Of a code its SHA-256 alone.
      CREATE TABLE pairings (digest TEXT PRIMARY KEY, until INTEGER NOT NULL, giver TEXT NOT NULL) STRICT, WITHOUT ROWID;`,
  },
  {
    version: 9,
    name: "what is left to do when an owner is gone",
    sql: `
      -- Written with the change of owner, deleted when nothing of him is left: a power cut in between loses nothing.
      CREATE TABLE partings (
        source TEXT NOT NULL,
        node TEXT NOT NULL,
        partition TEXT NOT NULL,
        owner TEXT NOT NULL,
        PRIMARY KEY (source, node, partition, owner)
      ) STRICT, WITHOUT ROWID;
      -- To be taken off the list of contacts; '' stands for all who were on it.
      CREATE TABLE farewells (jid TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;`,
  },
];

/** history.db, synchronous NORMAL: what may lose its last second. */
export const historyMigrations: readonly Migration[] = [
  {
    version: 1,
    name: "readings and statuses",
    sql: `
      CREATE TABLE series (
        id INTEGER PRIMARY KEY,
        source TEXT NOT NULL,
        node TEXT NOT NULL,
        partition TEXT NOT NULL,
        -- The last value of each field with its own time, as one text.
        latest TEXT NOT NULL DEFAULT '[]',
        UNIQUE (source, node, partition)
      ) STRICT;
      -- AUTOINCREMENT: the number of a row says how many were written after it, which is what retention counts by.
      CREATE TABLE samples (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        series INTEGER NOT NULL REFERENCES series (id) ON DELETE CASCADE,
        at INTEGER NOT NULL,
        fields TEXT NOT NULL
      ) STRICT;
      CREATE INDEX samples_by_time ON samples (series, at, id);
      CREATE TABLE node_messages (
        source TEXT NOT NULL,
        node TEXT NOT NULL,
        partition TEXT NOT NULL,
        messages TEXT NOT NULL,
        PRIMARY KEY (source, node, partition)
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE source_changes (source TEXT PRIMARY KEY, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;`,
  },
  {
    version: 2,
    name: "source events",
    sql: `
      -- A time belongs to one event of its source: it is the place in the order.
      CREATE TABLE source_events (
        source TEXT NOT NULL,
        at INTEGER NOT NULL,
        event TEXT NOT NULL,
        PRIMARY KEY (source, at)
      ) STRICT, WITHOUT ROWID;
      -- From when on nothing is missing; the source '' stands for all.
      CREATE TABLE source_events_from (source TEXT PRIMARY KEY, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
      -- 1 after an orderly stop: else the last second may be missing.
      CREATE TABLE source_events_state (id INTEGER PRIMARY KEY CHECK (id = 1), whole INTEGER NOT NULL) STRICT;
      INSERT INTO source_events_state VALUES (1, 0);`,
  },
];
