-- The application's database, as far as the checklists read it: ten weeks of it up to now. psql runs this as the
-- superuser, connected to template1, at each start of the demo: nothing of the last one remains.

SET client_min_messages = warning;
DROP DATABASE IF EXISTS webapp WITH (FORCE);
DROP ROLE IF EXISTS opsconsole;

CREATE DATABASE webapp;
REVOKE ALL ON DATABASE webapp, postgres, template1 FROM PUBLIC;

-- What a checklist is meant to connect as: it can read the data and the statistics, and nothing else.
CREATE ROLE opsconsole LOGIN;
ALTER ROLE opsconsole SET default_transaction_read_only = on;
GRANT CONNECT ON DATABASE webapp TO opsconsole;
GRANT pg_monitor TO opsconsole;

\connect webapp

CREATE TABLE auth_user (id int PRIMARY KEY, last_login timestamptz);
CREATE TABLE quests_quest (id int PRIMARY KEY, created_at timestamptz NOT NULL, completed_at timestamptz);
CREATE TABLE applications_application (
    id           serial PRIMARY KEY,
    quest_id     int         NOT NULL,
    applicant_id int         NOT NULL,
    status       text        NOT NULL,
    applied_at   timestamptz NOT NULL,
    decided_at   timestamptz
);
CREATE TABLE quests_questparticipant (
    id        serial PRIMARY KEY,
    quest_id  int         NOT NULL,
    user_id   int         NOT NULL,
    joined_at timestamptz NOT NULL,
    UNIQUE (quest_id, user_id)
);

INSERT INTO auth_user SELECT id, now() - id * interval '7 minutes' FROM generate_series(1, 120) AS id;

-- A quest every forty minutes; each is completed two days later, and six people apply, one of whom is refused.
INSERT INTO quests_quest
SELECT row_number() OVER (ORDER BY made), made, CASE WHEN made < now() - interval '2 days' THEN made + interval '2 days' END
FROM generate_series(date_trunc('day', now()) - interval '70 days', now() - interval '3 hours', interval '40 minutes') AS made;

INSERT INTO applications_application (quest_id, applicant_id, status, applied_at, decided_at)
SELECT quest.id, (quest.id * 7 + place * 13) % 120 + 1, CASE WHEN place = quest.id % 6 THEN 'rejected' ELSE 'approved' END,
       quest.created_at + place * interval '9 minutes', quest.created_at + interval '2 hours' + place * interval '5 minutes'
FROM quests_quest AS quest CROSS JOIN generate_series(0, 5) AS place;

INSERT INTO quests_questparticipant (quest_id, user_id, joined_at)
SELECT quest_id, applicant_id, decided_at FROM applications_application WHERE status = 'approved';

GRANT SELECT ON ALL TABLES IN SCHEMA public TO opsconsole;
