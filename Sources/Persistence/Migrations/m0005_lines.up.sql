-- Gates, pauses. Why each table is its own: docs/queue.md.

-- Kinds that no worker may claim. Nearly always empty; read by each claim.
CREATE TABLE paused_kinds (
    kind  text        PRIMARY KEY,
    since timestamptz NOT NULL DEFAULT now()
);
