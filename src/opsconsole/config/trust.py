"""Refuses files that others can change: a checklist says which queries and commands are run in one's own name.

The rules are those of OpenSSH's StrictModes, for the file and every directory up to the root: owned by root or by
the user, and writable for nobody else. A directory with the sticky bit, such as /tmp, passes (others can add names
there, but not replace one's own), and so does group-write where the group is the owner's own with no other
members, as in Debian's OpenSSH. Unlike in sshd, which asks for the real path only, links are followed one by
one, since whoever can change a link chooses the file.
"""

import grp
import os
import pwd
import shlex
import stat
from collections.abc import Iterator
from pathlib import Path

_MOST_LINKS = 40
"""As many as Linux follows before it says ELOOP."""


def untrusted(path: Path) -> str | None:
    """Return why the file or directory `path` cannot be trusted, with the command that helps, or None if it can.

    What is not there, or may not be looked at, is left to whoever reads it.
    """
    try:
        for step in _steps(path):
            reason = _reason(step, is_target=step == path.absolute())
            if reason is not None:
                return reason
    except (OSError, ValueError):
        return None
    return None


def _steps(path: Path) -> Iterator[Path]:
    """Yield every name that is passed on the way to `path` from the root, links and what they lead to included."""
    seen: set[Path] = set()
    waiting = [path.absolute()]
    links = 0
    while waiting:
        whole = waiting.pop()
        for step in (*reversed(whole.parents), whole):
            if step in seen:
                continue
            seen.add(step)
            yield step
            if step.is_symlink():
                links += 1
                if links > _MOST_LINKS:
                    return
                waiting.append(step.parent.resolve() / step.readlink())


def _reason(path: Path, *, is_target: bool) -> str | None:
    status = path.lstat()
    name = "" if is_target else f"its directory {path} " if stat.S_ISDIR(status.st_mode) else f"{path} "
    if status.st_uid not in {0, os.geteuid()}:
        return (
            f"{name}belongs to {_user(status.st_uid)}, who could change it; it must belong to you or to root: "
            f"sudo chown {_user(os.geteuid())} {shlex.quote(str(path))}"
        )
    if stat.S_ISLNK(status.st_mode) or (stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX):
        return None
    others = status.st_mode & stat.S_IWOTH
    group = status.st_mode & stat.S_IWGRP and not _private(status.st_gid, status.st_uid)
    if not others and not group:
        return None
    who = "everybody" if others else f"the group {_group(status.st_gid)}"
    bits = "".join(letter for letter, can in (("g", group), ("o", others)) if can)
    return f"{name}can be changed by {who}: chmod {bits}-w {shlex.quote(str(path))}"


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _private(gid: int, uid: int) -> bool:
    """Return whether a group is the owner's own: of the same name, and with no other members."""
    try:
        group, owner = grp.getgrgid(gid), pwd.getpwuid(uid)
    except KeyError:
        return False
    return group.gr_name == owner.pw_name and set(group.gr_mem) <= {owner.pw_name}
