-- The database that the QBR collectors fill and the QBR checklists read. psql runs this as the superuser, connected to
-- template1, at each start of the demo: nothing of the last one remains.

SET client_min_messages = warning;
DROP DATABASE IF EXISTS qbr WITH (FORCE);
DROP ROLE IF EXISTS opsconsole;

CREATE DATABASE qbr;
REVOKE ALL ON DATABASE qbr FROM PUBLIC;

REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC;

-- What a checklist is meant to connect as: it can read two tables, and nothing else.
CREATE ROLE opsconsole LOGIN;
ALTER ROLE opsconsole SET default_transaction_read_only = on;
GRANT CONNECT ON DATABASE qbr TO opsconsole;

\connect qbr

CREATE TABLE qbr_collection_log (
    period            text        NOT NULL CHECK (period ~ '^\d{4}-\d{2}$'),
    collector_name    text        NOT NULL,
    status            text        NOT NULL,
    records_collected integer,
    started_at        timestamptz NOT NULL,
    completed_at      timestamptz
);
CREATE INDEX qbr_collection_log_started_at ON qbr_collection_log (started_at);

CREATE TABLE qbr_metrics_monthly (
    period       text           NOT NULL CHECK (period ~ '^\d{4}-\d{2}$'),
    metric_name  text           NOT NULL,
    metric_value numeric(12, 2) NOT NULL,
    vendor_id    integer        NOT NULL,
    data_source  text           NOT NULL,
    updated_at   timestamptz    NOT NULL,
    PRIMARY KEY (period, metric_name, vendor_id)
);

GRANT SELECT ON qbr_collection_log, qbr_metrics_monthly TO opsconsole;
