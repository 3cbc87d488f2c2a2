-- Version 1: one append-only list of events, chained (see chain.py).
-- The triggers prevent accidents, also by other programs; the chain gives the evidence.

CREATE TABLE meta (
  one        INTEGER PRIMARY KEY CHECK (one = 1),
  store_id   TEXT NOT NULL,
  hash       TEXT NOT NULL CHECK (length(hash) = 64),
  document   BLOB NOT NULL
) STRICT;

CREATE TABLE events (
  seq        INTEGER PRIMARY KEY CHECK (seq > 0),
  id         TEXT NOT NULL UNIQUE CHECK (length(id) = 36),
  run        TEXT NOT NULL,
  kind       TEXT NOT NULL,
  checklist  TEXT,
  period     TEXT,
  period_end TEXT,
  meaning    TEXT,
  prev       TEXT NOT NULL UNIQUE CHECK (length(prev) = 64),
  hash       TEXT NOT NULL CHECK (length(hash) = 64),
  document   BLOB NOT NULL,
  CHECK (CASE kind WHEN 'opened' THEN run IS checklist || '@' || period AND period_end IS NOT NULL
                   ELSE checklist IS NULL AND period IS NULL AND period_end IS NULL END),
  CHECK ((kind = 'signed') = (meaning IS NOT NULL))
) STRICT;

-- The texts that a `measured` event holds the hashes of. They are what takes room, and the one thing that is ever
-- removed: after a `pruned` event that tells it, and never of a signed run.
CREATE TABLE evidence (
  seq        INTEGER NOT NULL REFERENCES events (seq),
  place      INTEGER NOT NULL CHECK (place >= 0),
  text       TEXT NOT NULL,
  PRIMARY KEY (seq, place)
) STRICT, WITHOUT ROWID;

CREATE INDEX events_of_run ON events (run);

CREATE UNIQUE INDEX one_opening ON events (run) WHERE kind = 'opened';

CREATE UNIQUE INDEX one_sign_off ON events (run) WHERE meaning = 'performed';

CREATE INDEX latest_runs ON events (period_end DESC, checklist, period DESC) WHERE kind = 'opened';

CREATE INDEX latest_runs_of_checklist ON events (checklist, period_end DESC, period DESC) WHERE kind = 'opened';

CREATE INDEX runs_with_actions ON events (run) WHERE kind = 'raised';

CREATE TRIGGER events_are_never_changed BEFORE UPDATE ON events BEGIN
  SELECT RAISE(ABORT, 'opsconsole: an event is never changed');
END;

CREATE TRIGGER events_are_never_deleted BEFORE DELETE ON events BEGIN
  SELECT RAISE(ABORT, 'opsconsole: an event is never deleted');
END;

-- The second condition is for INSERT OR REPLACE, which would delete a row with the same key without telling the
-- trigger above.
CREATE TRIGGER events_are_only_appended BEFORE INSERT ON events BEGIN
  SELECT RAISE(ABORT, 'opsconsole: an event has to follow the last one')
   WHERE NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM events)
      OR NEW.prev IS NOT coalesce((SELECT hash FROM events ORDER BY seq DESC LIMIT 1), (SELECT hash FROM meta));
  SELECT RAISE(ABORT, 'opsconsole: an event is never replaced')
   WHERE EXISTS (SELECT 1 FROM events WHERE id = NEW.id)
      OR EXISTS (SELECT 1 FROM events WHERE prev = NEW.prev);
  SELECT RAISE(ABORT, 'opsconsole: a run is opened once')
   WHERE NEW.kind = 'opened' AND EXISTS (SELECT 1 FROM events WHERE run = NEW.run AND kind = 'opened');
  SELECT RAISE(ABORT, 'opsconsole: a run begins with its opening')
   WHERE NEW.kind <> 'opened' AND NOT EXISTS (SELECT 1 FROM events WHERE run = NEW.run AND kind = 'opened');
  SELECT RAISE(ABORT, 'opsconsole: a signed run is only amended')
   WHERE EXISTS (SELECT 1 FROM events WHERE run = NEW.run AND meaning = 'performed')
     AND NOT (NEW.kind IN ('amended', 'pruned', 'raised', 'handled') OR (NEW.kind = 'signed' AND NEW.meaning IS NOT 'performed'));
END;

CREATE TRIGGER evidence_is_never_changed BEFORE UPDATE ON evidence BEGIN
  SELECT RAISE(ABORT, 'opsconsole: evidence is never changed');
END;

-- The number is read out of the canonical JSON by its place: json_extract counts as unsafe in a trigger. No text in
-- the document can look like its key, because JSON writes a quotation mark within a text as \".
CREATE TRIGGER evidence_is_only_pruned BEFORE DELETE ON evidence BEGIN
  SELECT RAISE(ABORT, 'opsconsole: evidence is removed only after an event that tells it')
   WHERE NOT EXISTS (SELECT 1 FROM events AS own JOIN events AS told ON told.run = own.run
                      WHERE own.seq = OLD.seq AND told.kind = 'pruned' AND told.seq > own.seq
                        AND instr(told.document, '"through_seq":')
                        AND CAST(substr(CAST(told.document AS TEXT),
                                        instr(CAST(told.document AS TEXT), '"through_seq":') + 14)
                                 AS INTEGER) >= own.seq);
  SELECT RAISE(ABORT, 'opsconsole: the evidence of a signed run is never removed')
   WHERE EXISTS (SELECT 1 FROM events AS own JOIN events AS closing ON closing.run = own.run
                  WHERE own.seq = OLD.seq AND closing.meaning = 'performed');
END;

CREATE TRIGGER evidence_is_only_added BEFORE INSERT ON evidence BEGIN
  SELECT RAISE(ABORT, 'opsconsole: evidence is stored with its event, the last one')
   WHERE NEW.seq IS NOT (SELECT max(seq) FROM events);
  SELECT RAISE(ABORT, 'opsconsole: evidence is never replaced')
   WHERE EXISTS (SELECT 1 FROM evidence WHERE seq = NEW.seq AND place = NEW.place);
END;

CREATE TRIGGER meta_is_never_changed BEFORE UPDATE ON meta BEGIN
  SELECT RAISE(ABORT, 'opsconsole: a store keeps its birth document');
END;

CREATE TRIGGER meta_is_never_deleted BEFORE DELETE ON meta BEGIN
  SELECT RAISE(ABORT, 'opsconsole: a store keeps its birth document');
END;

CREATE TRIGGER meta_is_written_once BEFORE INSERT ON meta WHEN EXISTS (SELECT 1 FROM meta) BEGIN
  SELECT RAISE(ABORT, 'opsconsole: a store keeps its birth document');
END;
