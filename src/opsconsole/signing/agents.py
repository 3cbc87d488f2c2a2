"""SSH agents: where they listen, and which keys they offer (draft-ietf-sshm-ssh-agent, OpenSSH's PROTOCOL.agent).

A forwarded agent is one like any other. After a tmux or screen was attached again, SSH_AUTH_SOCK of what runs in it
names a socket that is gone; then tmux is asked, and at last the sockets of this account are looked through.
"""

import contextlib
import glob
import os
import shutil
import socket
import stat
import struct
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from opsconsole.signing.keys import PublicKey, key_of_blob
from opsconsole.signing.wire import Reader, WireError

VARIABLE = "SSH_AUTH_SOCK"
SOCKETS = ("/tmp/ssh-*/agent.*", "~/.ssh/agent/s.*")  # noqa: S108 - where sshd and ssh-agent put them
"""Where OpenSSH makes sockets of agents: before its version 10.1, and since."""
LIST_SECONDS = 5.0
"""For one agent to list its keys, at the other end of a slow line, too."""
_GUESS_SECONDS = 1.0
_MOST_GUESSED = 16
_TMUX_SECONDS = 2.0
_MOST_BYTES = 256 * 1024
"""What OpenSSH takes for one message."""
_REQUEST_IDENTITIES = 11
_IDENTITIES_ANSWER = 12


class AgentProblem(Exception):
    """An agent cannot be used; `reason` is a stable code."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class AgentKey(msgspec.Struct, frozen=True):
    """A key that an agent offers."""

    key: PublicKey
    comment: str


class Agent(msgspec.Struct, frozen=True):
    """An agent that answers."""

    socket: str
    keys: tuple[AgentKey, ...]
    guessed: bool = False
    """Whether it was found among this account's sockets: on an account that several people share it may be another
    person's."""


class Found(msgspec.Struct, frozen=True):
    """The agents that answer, and what is wrong with the others."""

    agents: tuple[Agent, ...] = ()
    problems: tuple[AgentProblem, ...] = ()


def listed(path: str, seconds: float = LIST_SECONDS) -> tuple[AgentKey, ...]:
    """Return the keys that an agent offers, certificates left out; raises AgentProblem within that time."""
    deadline = time.monotonic() + seconds
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as connection:
            connection.settimeout(seconds)
            connection.connect(path)
            connection.sendall(struct.pack(">IB", 1, _REQUEST_IDENTITIES))
            (length,) = struct.unpack(">I", _received(connection, 4, deadline))
            if not 0 < length <= _MOST_BYTES:
                raise WireError(f"an answer of {length} bytes")
            return tuple(_offered(_received(connection, length, deadline)))
    except TimeoutError as error:
        raise AgentProblem(
            "agent-hung", f"the agent at {path} takes connections and has not answered within {seconds:g} s"
        ) from error
    except (FileNotFoundError, NotADirectoryError) as error:
        raise AgentProblem("agent-unreachable", f"there is no agent at {path} any more") from error
    except ConnectionRefusedError as error:
        raise AgentProblem("agent-unreachable", f"nothing listens at {path} any more") from error
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise AgentProblem("agent-unreachable", f"the agent at {path} cannot be asked: {why}") from error


def _received(connection: socket.socket, count: int, deadline: float) -> bytes:
    parts = bytearray()
    while len(parts) < count:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        connection.settimeout(left)
        part = connection.recv(count - len(parts))
        if not part:
            raise WireError("it closed the connection")
        parts += part
    return bytes(parts)


def _offered(answer: bytes) -> Iterator[AgentKey]:
    reader = Reader(answer)
    if (kind := reader.byte()) != _IDENTITIES_ANSWER:
        raise WireError(f"it answered with a message {kind}")
    for _ in range(reader.number()):
        blob, comment = reader.string(), reader.string()
        with contextlib.suppress(WireError):  # a kind of key that nobody here knows
            key = key_of_blob(blob)
            if not key.certificate:
                yield AgentKey(key, comment.decode("utf-8", "backslashreplace"))


def find_agents(environ: Mapping[str, str], sockets: Sequence[str] = SOCKETS) -> Found:
    """Return the agent of this login; where it is gone, those that took its place.

    A login that never had an agent gets none by looking around.
    """
    named = environ.get(VARIABLE, "")
    multiplexed = "TMUX" in environ or "STY" in environ
    problems: list[AgentProblem] = []
    tried = {named}
    if named:
        try:
            return Found((Agent(named, listed(named)),))
        except AgentProblem as error:
            problems.append(error)
    elif not multiplexed:
        return Found(problems=(AgentProblem("no-agent", f"this login has no SSH agent: {VARIABLE} is not set"),))
    told = _told_by_tmux(environ) if "TMUX" in environ else ""
    if told and told not in tried:
        tried.add(told)
        try:
            return Found((Agent(told, listed(told)),))
        except AgentProblem as error:
            problems.append(error)
    guessed = tuple(_guessed(sockets, tried))
    if not guessed and not problems:
        problems.append(AgentProblem("no-agent", f"this login has no SSH agent: {VARIABLE} is not set"))
    return Found(guessed, tuple(problems))


def _told_by_tmux(environ: Mapping[str, str]) -> str:
    """Return the socket that came with the client that attached last; tmux keeps it for new windows."""
    program = shutil.which("tmux", path=environ.get("PATH"))
    if program is None:
        return ""
    try:
        done = subprocess.run(
            [program, "show-environment", VARIABLE],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=dict(environ),
            timeout=_TMUX_SECONDS,
            check=False,
            start_new_session=True,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    name, _, value = done.stdout.decode("utf-8", "surrogateescape").rstrip("\n").partition("=")
    return value if name == VARIABLE else ""


def _guessed(patterns: Sequence[str], tried: set[str]) -> Iterator[Agent]:
    """Yield the agents of this account that answer and offer keys, the newest first."""
    found: list[tuple[float, str]] = []
    for pattern in patterns:
        for each in glob.glob(str(Path(pattern).expanduser())):  # noqa: PTH207 - the pattern is absolute
            with contextlib.suppress(OSError):
                if each not in tried and _is_own(each):
                    found.append((os.lstat(each).st_mtime, each))
    for _, each in sorted(found, reverse=True)[:_MOST_GUESSED]:
        with contextlib.suppress(AgentProblem):
            if keys := listed(each, _GUESS_SECONDS):
                yield Agent(each, keys, guessed=True)


def _is_own(path: str) -> bool:
    """Return whether a socket, and the directory that it is in, are this account's and nobody else's."""
    status, directory = os.lstat(path), os.lstat(Path(path).parent)
    own = {status.st_uid, directory.st_uid} == {os.geteuid()}
    closed = not directory.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return own and closed and stat.S_ISSOCK(status.st_mode)
