-- Version 1 for PostgreSQL: what schema_1.sql is for SQLite (see there), in the schema `opsconsole`.
-- The triggers prevent accidents, also by other programs; the chain gives the evidence. They fire ALWAYS, so that
-- nobody passes by them with session_replication_role and leaves no trace in the catalogue.
-- Every name that is compared or ordered has the collation "C": the order of bytes, as in SQLite.

CREATE TABLE opsconsole.versions (
  version    integer PRIMARY KEY CHECK (version > 0),
  applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  applied_by name NOT NULL DEFAULT session_user
);

CREATE TABLE opsconsole.meta (
  one        integer PRIMARY KEY CHECK (one = 1),
  store_id   text COLLATE "C" NOT NULL,
  hash       text COLLATE "C" NOT NULL CHECK (length(hash) = 64),
  document   bytea NOT NULL
);

CREATE TABLE opsconsole.events (
  seq        bigint PRIMARY KEY CHECK (seq > 0),
  id         text COLLATE "C" NOT NULL UNIQUE CHECK (length(id) = 36),
  run        text COLLATE "C" NOT NULL,
  kind       text COLLATE "C" NOT NULL,
  checklist  text COLLATE "C",
  period     text COLLATE "C",
  period_end text COLLATE "C",
  meaning    text COLLATE "C",
  prev       text COLLATE "C" NOT NULL UNIQUE CHECK (length(prev) = 64),
  hash       text COLLATE "C" NOT NULL CHECK (length(hash) = 64),
  document   bytea NOT NULL,
  CONSTRAINT opening_columns CHECK (
    CASE kind WHEN 'opened' THEN run IS NOT DISTINCT FROM checklist || '@' || period AND period_end IS NOT NULL
              ELSE checklist IS NULL AND period IS NULL AND period_end IS NULL END),
  CONSTRAINT signing_columns CHECK ((kind = 'signed') = (meaning IS NOT NULL))
);

-- The texts that a `measured` event holds the hashes of, as UTF-8: a text of PostgreSQL cannot hold a NUL.
CREATE TABLE opsconsole.evidence (
  seq        bigint NOT NULL REFERENCES opsconsole.events (seq),
  place      integer NOT NULL CHECK (place >= 0),
  text       bytea NOT NULL,
  PRIMARY KEY (seq, place)
);

CREATE INDEX events_of_run ON opsconsole.events (run, seq);

CREATE UNIQUE INDEX one_opening ON opsconsole.events (run) WHERE kind = 'opened';

CREATE UNIQUE INDEX one_sign_off ON opsconsole.events (run) WHERE meaning = 'performed';

CREATE INDEX latest_runs ON opsconsole.events (period_end DESC, checklist, period DESC) WHERE kind = 'opened';

CREATE INDEX latest_runs_of_checklist ON opsconsole.events (checklist, period_end DESC, period DESC)
  WHERE kind = 'opened';

CREATE INDEX runs_with_actions ON opsconsole.events (run) WHERE kind = 'raised';

CREATE FUNCTION opsconsole.refuse_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE EXCEPTION 'opsconsole: %', TG_ARGV[0] USING ERRCODE = 'integrity_constraint_violation';
END
$$;

CREATE FUNCTION opsconsole.refuse_stray_event() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  fault text;
  last_seq bigint;
  last_hash text;
BEGIN
  SELECT seq, hash INTO last_seq, last_hash FROM opsconsole.events ORDER BY seq DESC LIMIT 1;
  IF last_seq IS NULL THEN
    SELECT 0, hash INTO last_seq, last_hash FROM opsconsole.meta;
  END IF;
  fault := CASE
    WHEN NEW.seq IS DISTINCT FROM last_seq + 1 OR NEW.prev IS DISTINCT FROM last_hash
    THEN 'an event has to follow the last one'
    WHEN NEW.hash IS DISTINCT FROM encode(sha256(convert_to(NEW.prev, 'UTF8') || NEW.document), 'hex')
    THEN 'an event has the hash of its bytes'
    WHEN NEW.kind = 'opened'
         AND EXISTS (SELECT FROM opsconsole.events WHERE run = NEW.run AND kind = 'opened')
    THEN 'a run is opened once'
    WHEN NEW.kind <> 'opened'
         AND NOT EXISTS (SELECT FROM opsconsole.events WHERE run = NEW.run AND kind = 'opened')
    THEN 'a run begins with its opening'
    WHEN EXISTS (SELECT FROM opsconsole.events WHERE run = NEW.run AND meaning = 'performed')
         AND NOT (NEW.kind IN ('amended', 'pruned', 'raised', 'handled')
                  OR (NEW.kind = 'signed' AND NEW.meaning IS DISTINCT FROM 'performed'))
    THEN 'a signed run is only amended'
  END;
  IF fault IS NOT NULL THEN
    RAISE EXCEPTION 'opsconsole: %', fault USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END
$$;

-- Whoever listens is told with the commit; PostgreSQL makes one of several in a transaction.
CREATE FUNCTION opsconsole.tell_listeners() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM pg_notify('opsconsole', '');
  RETURN NULL;
END
$$;

CREATE FUNCTION opsconsole.refuse_stray_evidence() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NEW.seq IS DISTINCT FROM (SELECT max(seq) FROM opsconsole.events) THEN
    RAISE EXCEPTION 'opsconsole: evidence is stored with its event, the last one'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END
$$;

CREATE FUNCTION opsconsole.refuse_pruning() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  own_run text := (SELECT run FROM opsconsole.events WHERE seq = OLD.seq);
BEGIN
  IF NOT coalesce((SELECT bool_or(CASE kind WHEN 'pruned' THEN
                     (convert_from(document, 'UTF8')::json #>> '{body,through_seq}')::bigint >= OLD.seq END)
                     FROM opsconsole.events WHERE run = own_run AND seq > OLD.seq), false) THEN
    RAISE EXCEPTION 'opsconsole: evidence is removed only after an event that tells it'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF EXISTS (SELECT FROM opsconsole.events WHERE run = own_run AND meaning = 'performed') THEN
    RAISE EXCEPTION 'opsconsole: the evidence of a signed run is never removed'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN OLD;
END
$$;

CREATE FUNCTION opsconsole.refuse_second_birth() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT FROM opsconsole.meta) THEN
    RAISE EXCEPTION 'opsconsole: a store keeps its birth document'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END
$$;

CREATE TRIGGER events_are_never_changed BEFORE UPDATE ON opsconsole.events
  FOR EACH ROW EXECUTE FUNCTION opsconsole.refuse_change('an event is never changed');
CREATE TRIGGER events_are_never_deleted BEFORE DELETE ON opsconsole.events
  FOR EACH ROW EXECUTE FUNCTION opsconsole.refuse_change('an event is never deleted');
CREATE TRIGGER events_are_never_emptied BEFORE TRUNCATE ON opsconsole.events
  FOR EACH STATEMENT EXECUTE FUNCTION opsconsole.refuse_change('an event is never deleted');
CREATE TRIGGER events_are_only_appended BEFORE INSERT ON opsconsole.events
  FOR EACH ROW EXECUTE FUNCTION opsconsole.refuse_stray_event();
CREATE TRIGGER events_are_told AFTER INSERT ON opsconsole.events
  FOR EACH STATEMENT EXECUTE FUNCTION opsconsole.tell_listeners();

CREATE TRIGGER evidence_is_never_changed BEFORE UPDATE ON opsconsole.evidence
  FOR EACH ROW EXECUTE FUNCTION opsconsole.refuse_change('evidence is never changed');
CREATE TRIGGER evidence_is_only_pruned BEFORE DELETE ON opsconsole.evidence
  FOR EACH ROW EXECUTE FUNCTION opsconsole.refuse_pruning();
CREATE TRIGGER evidence_is_never_emptied BEFORE TRUNCATE ON opsconsole.evidence
  FOR EACH STATEMENT EXECUTE FUNCTION opsconsole.refuse_change('evidence is removed only after an event that tells it');
CREATE TRIGGER evidence_is_only_added BEFORE INSERT ON opsconsole.evidence
  FOR EACH ROW EXECUTE FUNCTION opsconsole.refuse_stray_evidence();

CREATE TRIGGER meta_is_never_changed BEFORE UPDATE ON opsconsole.meta
  FOR EACH ROW EXECUTE FUNCTION opsconsole.refuse_change('a store keeps its birth document');
CREATE TRIGGER meta_is_never_deleted BEFORE DELETE ON opsconsole.meta
  FOR EACH ROW EXECUTE FUNCTION opsconsole.refuse_change('a store keeps its birth document');
CREATE TRIGGER meta_is_never_emptied BEFORE TRUNCATE ON opsconsole.meta
  FOR EACH STATEMENT EXECUTE FUNCTION opsconsole.refuse_change('a store keeps its birth document');
CREATE TRIGGER meta_is_written_once BEFORE INSERT ON opsconsole.meta
  FOR EACH ROW EXECUTE FUNCTION opsconsole.refuse_second_birth();

CREATE TRIGGER versions_are_never_changed BEFORE UPDATE OR DELETE ON opsconsole.versions
  FOR EACH ROW EXECUTE FUNCTION opsconsole.refuse_change('a version of the schema stays noted');
CREATE TRIGGER versions_are_never_emptied BEFORE TRUNCATE ON opsconsole.versions
  FOR EACH STATEMENT EXECUTE FUNCTION opsconsole.refuse_change('a version of the schema stays noted');

DO $$
DECLARE
  guard record;
BEGIN
  FOR guard IN
    SELECT tgrelid::regclass AS on_table, tgname FROM pg_trigger
     WHERE NOT tgisinternal AND tgrelid IN ('opsconsole.versions'::regclass, 'opsconsole.meta'::regclass,
                                            'opsconsole.events'::regclass, 'opsconsole.evidence'::regclass)
  LOOP
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', guard.on_table, guard.tgname);
  END LOOP;
END
$$;
