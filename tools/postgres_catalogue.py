"""Write down what a new PostgreSQL schema looks like: `verify` and `doctor` compare a record's with it."""

import json
import sys
import tempfile
from pathlib import Path

import psycopg

from opsconsole.demo.accounts import server_account
from opsconsole.demo.cluster import SUPERUSER, open_cluster
from opsconsole.store import postgres_schema
from opsconsole.store.postgres import PostgresStore

TARGET = Path(postgres_schema.__file__).with_name("postgres_1.json")


def main() -> int:
    """Make a record in a scratch server, and write its catalogue beside the schema."""
    with tempfile.TemporaryDirectory(prefix="opsconsole-catalogue-") as scratch:
        if server_account().switched:
            Path(scratch).chmod(0o711)
        with open_cluster(Path(scratch)) as cluster:
            cluster.run_script("CREATE DATABASE record;", "postgres")
            dsn = cluster.dsn("record", SUPERUSER)
            PostgresStore(dsn).close()
            with psycopg.connect(dsn) as connection:
                found = postgres_schema.catalogue(connection)
    TARGET.write_text(json.dumps(dict(sorted(found.items())), indent=1) + "\n", encoding="utf-8")
    print(f"wrote {TARGET.name}: {len(found)} definitions")
    return 0


if __name__ == "__main__":
    sys.exit(main())
