-- What stands for QuestDB: a PostgreSQL with its tables, its `tables()` and its one kind of time, as far as the
-- checklists ask. psql runs this as the superuser, connected to template1, at each start of the demo: nothing of the
-- last one remains.

SET client_min_messages = warning;
DROP DATABASE IF EXISTS qdb WITH (FORCE);
DROP ROLE IF EXISTS readonly;

CREATE DATABASE qdb;
REVOKE ALL ON DATABASE qdb, postgres, template1 FROM PUBLIC;

CREATE ROLE readonly LOGIN;
ALTER ROLE readonly SET default_transaction_read_only = on;
GRANT CONNECT ON DATABASE qdb TO readonly;

\connect qdb

-- What was recorded, and for days ahead what will be: it is shown from its own time on.
CREATE SCHEMA kept;
CREATE TABLE kept.devices (recorded_at timestamp NOT NULL, name text);
CREATE TABLE kept.measurements (recorded_at timestamp NOT NULL, device text, reading double precision);
CREATE TABLE kept.alarms (recorded_at timestamp NOT NULL, device text, severity text);
CREATE TABLE kept.sync_log (finished_at timestamp NOT NULL, collection text NOT NULL, status text NOT NULL);

CREATE VIEW devices AS SELECT * FROM kept.devices WHERE recorded_at <= now() AT TIME ZONE 'UTC';
CREATE VIEW measurements AS SELECT * FROM kept.measurements WHERE recorded_at <= now() AT TIME ZONE 'UTC';
CREATE VIEW alarms AS SELECT * FROM kept.alarms WHERE recorded_at <= now() AT TIME ZONE 'UTC';
CREATE VIEW sync_log AS SELECT * FROM kept.sync_log WHERE finished_at <= now() AT TIME ZONE 'UTC';

CREATE FUNCTION tables() RETURNS TABLE (id bigint, table_name text) LANGUAGE sql
AS $$ SELECT row_number() OVER (ORDER BY viewname), viewname::text FROM pg_views WHERE schemaname = 'public' $$;

GRANT SELECT ON ALL TABLES IN SCHEMA public TO readonly;
