"""Becomes PostgreSQL's server: gives up root, asks the kernel to end it with its parent, and runs it.

Run as a program, `python -I -S launch.py PARENT UID GID PROGRAM ARGUMENT…`, because between fork and exec of a
process with threads nothing of this is safe, and because setuid(2) clears the parent-death signal (prctl(2)), so
that it has to come after it. UID and GID are -1 where the account stays as it is.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def become(parent: int, uid: int, gid: int, arguments: list[str]) -> None:
    """Replace this process by the server; returns only when the parent has died in the meantime."""
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    os.umask(0o077)
    libc = ctypes.CDLL(None, use_errno=True)
    # An immediate shutdown: nobody is left to whom the data could matter.
    if libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGQUIT), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "cannot ask the kernel to end the server with the demo")
    if os.getppid() == parent:
        os.execv(arguments[0], arguments)  # noqa: S606


if __name__ == "__main__":
    become(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
