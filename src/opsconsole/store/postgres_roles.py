"""The roles of a shared record, and what each may do in it: no more than its work takes."""

import re

from opsconsole.store.postgres_connection import Connection

OWNER = "opsconsole_owner"
"""Makes and upgrades the schema; nobody works as it."""
WRITER = "opsconsole_writer"
"""What consoles and jobs connect as: adds events, and changes nothing."""
READER = "opsconsole_reader"
"""Reads and verifies."""
PRUNER = "opsconsole_pruner"
"""A writer that may remove evidence as well, which the schema lets it do only after an event that tells it."""

_READS = "SELECT ON opsconsole.versions, opsconsole.meta, opsconsole.events, opsconsole.evidence"
_ADDS = "INSERT ON opsconsole.events, opsconsole.evidence"
RIGHTS: dict[str, tuple[str, ...]] = {
    READER: ("USAGE ON SCHEMA opsconsole", _READS),
    WRITER: ("USAGE ON SCHEMA opsconsole", _READS, _ADDS),
    PRUNER: ("USAGE ON SCHEMA opsconsole", _READS, _ADDS, "DELETE ON opsconsole.evidence"),
}
"""What is granted to each role but the owner, who has everything."""

_SCRIPT = """\
-- The roles of a record that several hosts share. An administrator runs this once with psql, as a role that may
-- create others; then somebody makes the record itself, as its owner:
--
--     PGUSER={owner} opsconsole store init
--
-- How each role proves who it is (a password, a certificate, a socket's peer) is up to pg_hba.conf. A login of a
-- person's own gets the rights by membership: GRANT {writer} TO alice;

DO $$
DECLARE
  wanted text;
BEGIN
  FOREACH wanted IN ARRAY ARRAY['{owner}', '{writer}', '{reader}', '{pruner}'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
      EXECUTE format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE', wanted);
    END IF;
  END LOOP;
END
$$;

SELECT {text} WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = {name}) \\gexec

-- Nobody else gets in: whoever can connect could keep writers waiting.
REVOKE CONNECT, TEMPORARY ON DATABASE {database} FROM PUBLIC;
GRANT CONNECT ON DATABASE {database} TO {owner}, {writer}, {reader}, {pruner};
GRANT CREATE ON DATABASE {database} TO {owner};

-- `opsconsole store init` then grants, as the owner:
{grants}
"""


def roles_script(database: str) -> str:
    """Return the SQL (for psql) that makes the roles and the database, ready for its owner's `store init`."""
    create = f"CREATE DATABASE {quoted(database)} OWNER {OWNER} TEMPLATE template0 ENCODING 'UTF8'"
    return _SCRIPT.format(
        owner=OWNER,
        writer=WRITER,
        reader=READER,
        pruner=PRUNER,
        database=quoted(database),
        name=_literal(database),
        text=_literal(create),
        grants="\n".join(f"--     {statement}" for role in RIGHTS for statement in grants_to(role, role)),
    )


def grants_to(kind: str, role: str) -> list[str]:
    """Return the statements that give a role the rights of one of RIGHTS."""
    return [f"GRANT {right} TO {quoted(role)};" for right in RIGHTS[kind]]


def grant(connection: Connection) -> list[str]:
    """Give the roles that there are their rights, as the schema's owner; return those that are missing."""
    connection.execute("REVOKE ALL ON ALL TABLES IN SCHEMA opsconsole FROM PUBLIC")
    found = {name for (name,) in connection.execute("SELECT rolname FROM pg_catalog.pg_roles")}
    for role in RIGHTS.keys() & found:
        connection.execute(f"REVOKE ALL ON ALL TABLES IN SCHEMA opsconsole FROM {role}".encode())
        for statement in grants_to(role, role):
            connection.execute(statement.encode())
    return [role for role in RIGHTS if role not in found]


def quoted(name: str) -> str:
    """Return a name as SQL has it, quoted where it has to be."""
    return name if re.fullmatch(r"[a-z_][a-z0-9_]*", name) else '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
