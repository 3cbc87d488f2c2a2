"""A process that is in a run and does nothing else: `store_visitor KIND WHERE RUN WHO`; it says `in`, and stays."""

import sys

from support.stores import open_store


def main(kind: str, where: str, run: str, who: str) -> None:
    """Do what the module says."""
    presence = open_store(kind, where).enter(run, who)
    presence.others()
    sys.stdout.write("in\n")
    sys.stdout.flush()
    sys.stdin.read()
    presence.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
