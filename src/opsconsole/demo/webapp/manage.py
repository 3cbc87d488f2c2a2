"""The audit of the application, as `manage.py` of its project runs it: on the database, by its own connection.

The demo writes this file into the project's directory, with the connection in `database.txt` beside it.
"""

import sys
from pathlib import Path

import psycopg

CHECKS = {
    "approved, but no participant": """
        select count(*) from applications_application a where a.status = 'approved' and not exists (
          select from quests_questparticipant p where p.quest_id = a.quest_id and p.user_id = a.applicant_id)""",
    "participant without approval": """
        select count(*) from quests_questparticipant p where not exists (
          select from applications_application a
          where a.quest_id = p.quest_id and a.applicant_id = p.user_id and a.status = 'approved')""",
    "application without quest": """
        select count(*) from applications_application a where not exists (
          select from quests_quest q where q.id = a.quest_id)""",
}


def say(line: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{line}\n")


def main() -> int:
    """Print what is wrong, and how much; end with 1 where anything is."""
    dsn = Path(__file__).with_name("database.txt").read_text(encoding="utf-8")
    say(f"=== {' '.join(sys.argv[1:])}")
    found = 0
    with psycopg.connect(dsn) as connection:
        for what, query in CHECKS.items():
            ((count,),) = connection.execute(query).fetchall()
            say(f"{what}: {count}")
            found += count
    say(f"TOTAL ISSUES: {found}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
