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
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

_MOST_LINKS = 40
"""As many as Linux follows before it says ELOOP."""


class Doubt(NamedTuple):
    """Why a file or directory cannot be trusted."""

    why: str
    command: str
    """What makes it trustworthy, for a shell."""


def untrusted(path: Path) -> str | None:
    """Return why the file or directory `path` cannot be trusted, with the command that helps, or None if it can."""
    doubt = doubt_of(path)
    return None if doubt is None else f"{doubt.why}: {doubt.command}"


def doubt_of(path: Path) -> Doubt | None:
    """Return why the file or directory `path` cannot be trusted, None if it can.

    What is not there, or may not be looked at, is left to whoever reads it.
    """
    try:
        for step in _steps(path):
            doubt = _doubt(step, is_target=step == path.absolute())
            if doubt is not None:
                return doubt
    except (OSError, ValueError):
        return None
    return None


def unfit_for_state(directory: Path) -> str | None:
    """Return why nothing may be kept in `directory`, which need not exist yet, or None where it may.

    Locks, unsaved events, last-seen heads and reports of crashes lie there: others could take them away or put
    their own in their place. Root does not work on the state of another account either, which would find files in
    it that it cannot use.
    """
    with suppress(OSError, ValueError):
        found = directory.stat()
        if found.st_uid not in {0, os.geteuid()}:
            owner = _user(found.st_uid)
            return (
                f"belongs to {owner}; use it as that account (sudo -u {owner} opsconsole ...), "
                "or keep a state of your own: --state, or OPSCONSOLE_STATE"
            )
        if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            return f"can be changed by others: chmod go-w {_quoted(directory)}"
    return untrusted(directory)


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


def _doubt(path: Path, *, is_target: bool) -> Doubt | None:
    status = path.lstat()
    name = "" if is_target else f"its directory {path} " if stat.S_ISDIR(status.st_mode) else f"{path} "
    if status.st_uid not in {0, os.geteuid()}:
        link = "-h " if stat.S_ISLNK(status.st_mode) else ""
        return Doubt(
            f"{name}belongs to {_user(status.st_uid)}, who could change it; it must belong to you or to root",
            f"sudo chown {link}{_login(os.geteuid())} {_quoted(path)}",
        )
    if stat.S_ISLNK(status.st_mode) or (stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX):
        return None
    others = status.st_mode & stat.S_IWOTH
    group = status.st_mode & stat.S_IWGRP and not _private(status.st_gid, status.st_uid)
    if not others and not group:
        return None
    who = "everybody" if others else f"the group {_group(status.st_gid)}"
    bits = "".join(letter for letter, can in (("g", group), ("o", others)) if can)
    return Doubt(f"{name}can be changed by {who}", f"chmod {bits}-w {_quoted(path)}")


def _quoted(path: Path) -> str:
    """Return a path as any shell takes it; one with control characters as what printf makes of plain ones."""
    text = str(path)
    if text.isprintable():
        return shlex.quote(text)
    octal = "".join(f"\\{each:03o}" for each in os.fsencode(text))
    return f"\"$(printf '{octal}')\""


def _login(uid: int) -> str:
    """Return a name that chown takes."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


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
    """Return whether a group is the owner's own: of the same name, and nobody else's, as a primary one neither."""
    try:
        group, owner = grp.getgrgid(gid), pwd.getpwuid(uid)
    except KeyError:
        return False
    if group.gr_name != owner.pw_name or not set(group.gr_mem) <= {owner.pw_name}:
        return False
    return all(each.pw_uid == uid for each in pwd.getpwall() if each.pw_gid == gid)
