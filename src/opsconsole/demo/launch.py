"""Becomes a program of PostgreSQL's: gives up root, asks the kernel to end it with its parent, and runs it.

Run as `python -I -S launch.py PARENT UID GID SIGNAL PROGRAM ARGUMENT…`, because between fork and exec of a process
with threads nothing of this is safe, and because setuid(2) clears the parent-death signal (prctl(2)), which has to
come after it for that reason. UID and GID are -1 where the account stays as it is.
"""

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def become(parent: int, uid: int, gid: int, number: int, arguments: list[str]) -> None:
    """Replace this process by the program; returns only when the parent has died in the meantime."""
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    os.umask(0o077)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    if os.getppid() == parent:
        os.execv(arguments[0], arguments)  # noqa: S606


if __name__ == "__main__":
    try:
        parent, uid, gid, number = map(int, sys.argv[1:5])
        become(parent, uid, gid, number, sys.argv[5:])
    except OSError as error:
        sys.exit(f"{sys.argv[5]} cannot be run as uid {os.geteuid()}: {error.strerror}")
