-- The database behind the dashboard, as far as the checklists read it. psql runs this as the superuser, connected to
-- template1, at each start of the demo: nothing of the last one remains.

SET client_min_messages = warning;
DROP DATABASE IF EXISTS dashboard WITH (FORCE);
DROP ROLE IF EXISTS opsconsole;

CREATE DATABASE dashboard;
REVOKE ALL ON DATABASE dashboard, postgres, template1 FROM PUBLIC;

-- What a checklist is meant to connect as: it can read the log and the statistics, and nothing else.
CREATE ROLE opsconsole LOGIN;
ALTER ROLE opsconsole SET default_transaction_read_only = on;
GRANT CONNECT ON DATABASE dashboard TO opsconsole;
GRANT pg_monitor TO opsconsole;

\connect dashboard

CREATE TABLE logged (creation timestamp NOT NULL, method text NOT NULL);
CREATE INDEX ON logged (creation);

-- An instant of the past that the log is shown at, in the time of the site; none for the present.
CREATE TABLE shown (until timestamp);
INSERT INTO shown VALUES (NULL);
CREATE FUNCTION show_until(moment timestamp) RETURNS void LANGUAGE sql AS 'UPDATE shown SET until = moment';

CREATE VIEW "tabError Log" AS
SELECT 'ERR-' || lpad((row_number() OVER (ORDER BY creation))::text, 6, '0') AS name, creation, method
FROM logged
WHERE creation <= coalesce((SELECT until FROM shown), now() AT TIME ZONE 'Europe/Amsterdam');
GRANT SELECT ON "tabError Log" TO opsconsole;
