-- The database of the system that went live, as far as its lists look at it. psql runs this as the superuser, connected
-- to template1, at each start of the demo: nothing of the last one remains.

SET client_min_messages = warning;
DROP DATABASE IF EXISTS golive WITH (FORCE);
DROP ROLE IF EXISTS opsconsole, golive_app, golive_reports, support_tmp;

CREATE DATABASE golive;
REVOKE ALL ON DATABASE golive FROM PUBLIC;
REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC;

-- What a checklist is meant to connect as: it may read statistics, and no data.
CREATE ROLE opsconsole LOGIN;
ALTER ROLE opsconsole SET default_transaction_read_only = on;
GRANT pg_monitor TO opsconsole;
CREATE ROLE golive_app LOGIN;
CREATE ROLE golive_reports LOGIN;
GRANT CONNECT ON DATABASE golive TO opsconsole, golive_app, golive_reports;

\connect golive

CREATE TABLE users AS
    SELECT id, 'user' || id AS name, now() - id * interval '3 hours' AS created_at FROM generate_series(1, 2400) id;
CREATE TABLE conversations AS
    SELECT id, 1 + id * 7 % 2400 AS user_id, now() - id * interval '9 minutes' AS begun_at
      FROM generate_series(1, 4000) id;
CREATE TABLE messages AS
    SELECT id, 1 + id % 4000 AS conversation_id, now() - id * interval '4 minutes' AS sent_at,
           repeat('what was said ', 1 + id % 5) AS body
      FROM generate_series(1, 9000) id;
ALTER TABLE users ADD PRIMARY KEY (id);
ALTER TABLE conversations ADD PRIMARY KEY (id);
ALTER TABLE messages ADD PRIMARY KEY (id);
DELETE FROM messages WHERE id % 23 = 0;
VACUUM ANALYZE users, conversations;
ANALYZE messages;
SELECT count(*) FROM messages m JOIN conversations c ON c.id = m.conversation_id JOIN users u ON u.id = c.user_id \g /dev/null
SELECT sum(length(m.body)) FROM messages m \g /dev/null

-- The PostgreSQL of the demo comes without pg_stat_statements: a table of statements of such a system stands for what
-- the extension remembers, under the extension's own names, for an hour of the day with more or less to do.
CREATE SCHEMA statements;
CREATE TABLE statements.known (query text, calls bigint, mean float8, longest float8, rows_each int, hit_share float8);
INSERT INTO statements.known VALUES
    ('SELECT * FROM messages WHERE conversation_id = $1 ORDER BY sent_at DESC LIMIT $2', 812031, 3.1, 212.0, 20, 0.998),
    ('SELECT * FROM conversations WHERE user_id = $1 ORDER BY begun_at DESC LIMIT $2', 240664, 2.4, 97.5, 10, 0.999),
    ('INSERT INTO messages (conversation_id, sent_at, body) VALUES ($1, now(), $2) RETURNING id', 401233, 1.2, 88.1, 1, 0.997),
    ('SELECT id, name FROM users WHERE id = $1', 1904411, 0.4, 41.9, 1, 1.0),
    ('UPDATE users SET seen_at = now() WHERE id = $1', 388120, 1.7, 131.4, 1, 0.999),
    ('SELECT date_trunc($1, sent_at), count(*) FROM messages GROUP BY 1 ORDER BY 1', 2877, 118.6, 604.2, 31, 0.941),
    ('SELECT body FROM messages WHERE to_tsvector(body) @@ plainto_tsquery($1) LIMIT $2', 18022, 64.3, 931.7, 20, 0.972),
    ('DELETE FROM sessions WHERE ended_at < now() - $1::interval', 4032, 22.8, 190.3, 12, 0.988),
    ('REFRESH MATERIALIZED VIEW CONCURRENTLY usage_by_day', 336, 141.2, 522.0, 0, 0.902);

CREATE FUNCTION statements.pg_stat_statements(boolean)
RETURNS TABLE (
    userid oid, dbid oid, query text, calls bigint, total_exec_time float8, max_exec_time float8,
    mean_exec_time float8, rows bigint, shared_blks_hit bigint, shared_blks_read bigint
) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = statements, pg_catalog AS $$
    SELECT (SELECT oid FROM pg_roles WHERE rolname = 'golive_app'),
           (SELECT oid FROM pg_database WHERE datname = 'golive'),
           k.query, n.calls, n.calls * m.mean, k.longest, m.mean, n.calls * k.rows_each,
           (n.calls * 8 * k.hit_share)::bigint, (n.calls * 8 * (1 - k.hit_share))::bigint
      FROM known k,
           LATERAL (SELECT k.mean * (1 + 0.12 * sin(extract(epoch FROM now()) / 9700 + k.rows_each))) m (mean),
           LATERAL (SELECT k.calls + (k.calls / 1209600.0 * extract(epoch FROM now() - pg_postmaster_start_time()))::bigint) n (calls)
$$;
CREATE VIEW statements.pg_stat_statements_info AS SELECT now() - interval '14 days' AS stats_reset;
GRANT USAGE ON SCHEMA statements TO pg_monitor;
GRANT SELECT ON statements.pg_stat_statements_info TO pg_monitor;
SET allow_system_table_mods = on;
INSERT INTO pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)
SELECT pg_nextoid('pg_extension', 'oid', 'pg_extension_oid_index'), 'pg_stat_statements', 10,
       'statements'::regnamespace, false, '1.11';
SET allow_system_table_mods = off;
