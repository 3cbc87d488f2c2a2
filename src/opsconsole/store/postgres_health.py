"""Whether a shared record is fit to be written to tomorrow, and what this role could do to it but should not."""

from collections.abc import Iterator
from typing import Any

from psycopg.rows import dict_row

from opsconsole.contracts.store import Health
from opsconsole.model.outcomes import Outcome
from opsconsole.store.postgres_connection import Connection, one_moment
from opsconsole.store.postgres_roles import OWNER, WRITER, quoted
from opsconsole.store.postgres_schema import schema_fault

# pg_has_role(…, 'MEMBER') asks what the role could become with SET ROLE, too.
_ABOUT = """
SELECT current_setting('server_version') AS version, current_user::text AS role, session_user::text AS login,
       current_database()::text AS database, pg_is_in_recovery() AS standby,
       current_setting('default_transaction_read_only') = 'on' AS read_only,
       current_setting('fsync') = 'on' AS fsync, current_setting('full_page_writes') = 'on' AS full_page_writes,
       (SELECT rolsuper FROM pg_roles WHERE rolname = session_user) AS superuser,
       (SELECT string_agg(rolname, ', ' ORDER BY rolname) FROM pg_roles
         WHERE rolname IN ('pg_write_all_data', 'pg_write_server_files', 'pg_execute_server_program')
           AND pg_has_role(session_user, oid, 'MEMBER')) AS mighty,
       (SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = 'opsconsole') AS owner,
       (SELECT pg_has_role(session_user, nspowner, 'MEMBER') FROM pg_namespace WHERE nspname = 'opsconsole')
         AS owning,
       has_table_privilege('opsconsole.events', 'INSERT') AND has_table_privilege('opsconsole.evidence', 'INSERT')
         AS writing,
       has_table_privilege('opsconsole.evidence', 'DELETE') AS pruning,
       pg_size_pretty(pg_database_size(current_database())) AS size
"""

# What somebody else than the owner may do beyond adding and (evidence) removing, as it was granted.
_GRANTED = """
SELECT c.relname::text, coalesce(r.rolname::text, 'PUBLIC'),
       string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type)
  FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
 WHERE c.relnamespace = 'opsconsole'::regnamespace AND a.grantee <> c.relowner AND c.relkind IN ('r', 'p', 'v')
   AND (a.privilege_type IN ('UPDATE', 'TRUNCATE', 'TRIGGER', 'REFERENCES', 'MAINTAIN')
        OR (a.privilege_type = 'DELETE' AND c.relname <> 'evidence')
        OR (a.privilege_type = 'INSERT' AND c.relname NOT IN ('events', 'evidence')) OR a.grantee = 0)
 GROUP BY 1, 2 ORDER BY 1, 2
"""


def findings(connection: Connection) -> list[Health]:
    """Return everything that was looked at, in a fixed order; raises psycopg.Error where nothing can be read."""
    with one_moment(connection):
        with connection.cursor(row_factory=dict_row) as cursor:
            about: dict[str, Any] = cursor.execute(_ABOUT).fetchone() or {}
        granted = connection.execute(_GRANTED).fetchall()
        fault = schema_fault(connection)
    return [
        _server(about, connection),
        _writing(about),
        *_role(about),
        *_grants(granted),
        _guards(fault),
        _durability(about),
    ]


def _server(about: dict[str, Any], connection: Connection) -> Health:
    protected = connection.pgconn.ssl_in_use or connection.pgconn.host.startswith((b"/", b"@"))
    text = f"PostgreSQL {about['version']}, database {about['database']} ({about['size']}) as {about['role']}"
    if protected:
        return Health(Outcome.PASS, "server", text)
    return Health(
        Outcome.WARN, "server", f"{text}, without TLS", "Add sslmode=verify-full to the connection string"
    )


def _writing(about: dict[str, Any]) -> Health:
    role = quoted(about["role"])
    if about["standby"]:
        return Health(Outcome.FAIL, "writing", "the server is a standby", "Name the primary in `store`")
    if about["read_only"]:
        return Health(
            Outcome.FAIL,
            "writing",
            "the server is read-only for this role or database",
            f"ALTER ROLE {role} RESET default_transaction_read_only; or of the database, or the server",
        )
    if not about["writing"]:
        return Health(
            Outcome.WARN,
            "writing",
            f"{about['role']} may only read: nothing can be recorded with it",
            f"Where it is to record: GRANT {WRITER} TO {role};",
        )
    return Health(Outcome.PASS, "writing", f"{about['role']} may add events")


def _role(about: dict[str, Any]) -> Iterator[Health]:
    login = quoted(about["login"])
    instead = f"Let consoles and jobs connect as {WRITER} (PGUSER, or user= in the connection string)"
    if about["superuser"]:
        yield Health(
            Outcome.FAIL, "role", f"{about['login']} is a superuser, who can rewrite the record unseen", instead
        )
        return
    if about["mighty"]:
        yield Health(
            Outcome.FAIL,
            "role",
            f"{about['login']} is a member of {about['mighty']}",
            f"REVOKE {about['mighty']} FROM {login};",
        )
    if about["owning"]:
        yield Health(
            Outcome.WARN,
            "role",
            f"{about['login']} owns the record (as {about['owner']}) and can take its guards away",
            instead
            if about["login"] in {about["owner"], OWNER}
            else f"REVOKE {quoted(about['owner'])} FROM {login};",
        )
    elif not about["mighty"]:
        may = "read, add, and remove pruned evidence" if about["pruning"] else "read and add"
        yield Health(Outcome.PASS, "role", f"{about['login']} may {may if about['writing'] else 'read'}, no more")


def _grants(granted: list[tuple[Any, ...]]) -> Iterator[Health]:
    for table, role, rights in granted:
        who = role if role == "PUBLIC" else quoted(role)
        yield Health(
            Outcome.FAIL,
            "rights",
            f"{role} may {rights} on {table}, which no role needs",
            f"REVOKE {rights} ON opsconsole.{table} FROM {who};",
        )
    if not granted:
        yield Health(Outcome.PASS, "rights", "no role but the owner may change, empty or remove anything else")


def _guards(fault: str) -> Health:
    if not fault:
        return Health(Outcome.PASS, "guards", "every trigger, index, constraint and function is as it was made")
    return Health(Outcome.FAIL, "guards", fault, "Check the record: opsconsole verify --all; see who did it")


def _durability(about: dict[str, Any]) -> Health:
    off = [name for name in ("fsync", "full_page_writes") if not about[name]]
    if off:
        return Health(
            Outcome.FAIL,
            "durability",
            f"{' and '.join(off)} switched off: a power cut can take acknowledged events, or the whole record",
            "; ".join(f"ALTER SYSTEM SET {name} = on" for name in off) + "; SELECT pg_reload_conf();",
        )
    return Health(Outcome.PASS, "durability", "commits wait for the disk, whatever the server's default is")
