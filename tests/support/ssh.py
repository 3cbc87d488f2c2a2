"""Real OpenSSH for tests: keys, agents, a server, and files of people. Nothing outlives its `with` block.

The one thing that is not real is the security key: there is none here. `SecurityKey` is a double of the device at
the end of a wire that is real: an agent that answers ssh-keygen with signatures as OpenSSH's PROTOCOL.u2f has them,
made with an Ed25519 key in software. Stock `ssh-keygen -Y sign` and `-Y verify` take them for those of a device.
"""

import base64
import contextlib
import datetime as dt
import getpass
import hashlib
import os
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from opsconsole.model.people import Role
from opsconsole.signing.keys import PublicKey, key_of_text
from opsconsole.signing.wire import Reader, packed
from support.needs import missing

DEADLINE = 30.0
"""Seconds after which something that was to happen has not."""
_SIGN_REQUEST, _SIGN_RESPONSE, _IDENTITIES_REQUEST, _IDENTITIES, _FAILURE = 13, 14, 11, 12, 5
_CLEAN = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "SSH_ASKPASS_REQUIRE": "never"}


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for a condition, up to the deadline."""
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, f"{what} did not come"
        time.sleep(0.01)


def ran(*argv: str | Path, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> bytes:
    """Run a program that has to succeed, without a terminal; return what it prints."""
    done = subprocess.run(
        [str(each) for each in argv],
        input=stdin,
        capture_output=True,
        env={**_CLEAN, **(env or {})},
        timeout=DEADLINE,
        check=False,
        start_new_session=True,
    )
    assert done.returncode == 0, f"{argv}: {done.stderr.decode(errors='replace')}"
    return done.stdout


# --- keys and people -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Key:
    """A key pair in files."""

    path: Path

    @property
    def public_path(self) -> Path:
        """The file of the public half."""
        return self.path.with_name(f"{self.path.name}.pub")

    @property
    def public(self) -> PublicKey:
        """The public half."""
        return key_of_text(self.public_path.read_text(encoding="utf-8"))[0]

    @property
    def text(self) -> str:
        """Type and base64."""
        return self.public.text

    @property
    def fingerprint(self) -> str:
        """As ssh-keygen prints it."""
        return self.public.fingerprint


def make_key(path: Path, kind: str = "ed25519", *, bits: int = 0, passphrase: str = "") -> Key:
    """Make a key pair with ssh-keygen."""
    size = ["-b", str(bits)] if bits else []
    ran("ssh-keygen", "-q", "-t", kind, *size, "-N", passphrase, "-C", path.name, "-f", path)
    return Key(path)


def signer_line(
    principal: str,
    key: str,
    name: str,
    *roles: Role,
    after: dt.datetime | None = None,
    before: dt.datetime | None = None,
    namespaces: str = "",
) -> str:
    """Return a line of a file of people."""
    given = namespaces or ",".join(role.namespace for role in roles)
    options = [f'namespaces="{given}"']
    options += [f'valid-after="{after:%Y%m%d%H%M%SZ}"'] if after else []
    options += [f'valid-before="{before:%Y%m%d%H%M%SZ}"'] if before else []
    return f"{principal} {','.join(options)} {key} {name}\n"


def signed(key: Path, namespace: str, payload: bytes, *, agent: str = "") -> str:
    """Sign with stock ssh-keygen, by a file or an agent."""
    env = {"SSH_AUTH_SOCK": agent} if agent else {}
    return ran("ssh-keygen", "-Y", "sign", "-n", namespace, "-f", key, stdin=payload, env=env).decode("ascii")


def certified(key: Key, authority: Key, *, valid: str) -> Path:
    """Return a certificate for a key, with the private key beside it: `ssh-keygen -Y sign` takes it as a key."""
    ran(
        "ssh-keygen", "-q", "-s", authority.path, "-I", "id", "-n", "jane@example.com", "-V", valid, key.public_path
    )
    return key.path.with_name(f"{key.path.name}-cert.pub")


# --- agents ----------------------------------------------------------------------------------------


@contextlib.contextmanager
def short_directory() -> Iterator[Path]:
    """Give a directory whose path is short enough for a socket."""
    directory = Path(tempfile.mkdtemp(prefix="ops-"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@dataclass(frozen=True)
class RealAgent:
    """A running ssh-agent."""

    socket: str
    environment: Mapping[str, str] = field(default_factory=dict)

    def add(self, key: Key, *options: str) -> None:
        """Add a key, by ssh-add."""
        self.command(*options, "-q", str(key.path))

    def command(self, *words: str) -> None:
        """Run ssh-add, which has to succeed."""
        ran("ssh-add", *words, env={"SSH_AUTH_SOCK": self.socket})

    def keys(self) -> int:
        """Return how many keys it offers."""
        answer = asked(self.socket, bytes([_IDENTITIES_REQUEST]))
        return int(struct.unpack(">I", answer[1:5])[0])

    def lock(self, passphrase: bytes) -> None:
        """Lock it, as `ssh-add -x` does after it has asked on a terminal."""
        assert asked(self.socket, bytes([22]) + packed(passphrase)) == bytes([6])


def asked(path: str, message: bytes) -> bytes:
    """Return the answer of an agent to one message."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(DEADLINE)
        connection.connect(path)
        connection.sendall(packed(message))
        with connection.makefile("rb") as stream:
            return stream.read(int(struct.unpack(">I", stream.read(4))[0]))


@contextlib.contextmanager
def real_agent(*keys: Key, env: Mapping[str, str] | None = None, path: Path | None = None) -> Iterator[RealAgent]:
    """Run an ssh-agent with keys in it; it ends with the block."""
    with short_directory() as directory:
        where = path or directory / "agent"
        process = subprocess.Popen(
            ["ssh-agent", "-D", "-a", str(where)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**_CLEAN, **(env or {})},
            start_new_session=True,
        )
        try:
            until(where.is_socket, "the agent's socket")
            agent = RealAgent(str(where))
            for key in keys:
                agent.add(key)
            yield agent
        finally:
            process.terminate()
            process.wait(DEADLINE)


class OwnAgent:
    """An agent of the tests' own: `answer` gets each message and returns its answer, None for never."""

    def __init__(self, path: Path, answer: Callable[[bytes], bytes | None]) -> None:
        self.socket = str(path)
        self._answer = answer
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.socket)
        self._listener.listen(8)
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, struct.error), connection.makefile("rb") as stream:
            while head := stream.read(4):
                answer = self._answer(stream.read(int(struct.unpack(">I", head)[0])))
                if answer is None:
                    return
                connection.sendall(packed(answer))
            connection.close()

    def close(self) -> None:
        """Stop listening and drop every connection."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(DEADLINE)
        for each in self._open:
            each.close()


@contextlib.contextmanager
def own_agent(answer: Callable[[bytes], bytes | None]) -> Iterator[OwnAgent]:
    """Run an agent of the tests' own for the length of the block."""
    with short_directory() as directory:
        agent = OwnAgent(directory / "agent", answer)
        try:
            yield agent
        finally:
            agent.close()


def hung(_message: bytes) -> None:
    """Never answer."""


class SecurityKey:
    """A double of a FIDO device: signs what a device signs, with an Ed25519 key that a real ssh-agent holds.

    `touched` is the flag of user presence in its signatures. `refuses`: the person does not touch it in the time
    that the device allows. `hangs`: it waits for the touch for ever.
    """

    APPLICATION = b"ssh:"

    def __init__(self, backing: RealAgent, key: Key) -> None:
        self._backing = backing
        self._software = key.public
        reader = Reader(key.public.blob)
        reader.string()
        self.point = reader.string()
        kind = b"sk-ssh-ed25519@openssh.com"
        self.blob = packed(kind) + packed(self.point) + packed(self.APPLICATION)
        self.public = PublicKey(kind.decode(), self.blob)
        self.touched = True
        self.refuses = False
        self.hangs = False
        self._signatures = 0

    def answer(self, message: bytes) -> bytes | None:
        """Answer one message of the agent protocol."""
        if message[0] == _IDENTITIES_REQUEST:
            return bytes([_IDENTITIES]) + struct.pack(">I", 1) + packed(self.blob) + packed(b"security key")
        if message[0] != _SIGN_REQUEST or self.refuses:
            return bytes([_FAILURE])
        if self.hangs:
            return None
        reader = Reader(message[1:])
        assert reader.string() == self.blob
        return bytes([_SIGN_RESPONSE]) + packed(self._signature(reader.string()))

    def _signature(self, content: bytes) -> bytes:
        self._signatures += 1
        state = bytes([0x01 if self.touched else 0x00]) + struct.pack(">I", self._signatures)
        over = hashlib.sha256(self.APPLICATION).digest() + state + hashlib.sha256(content).digest()
        request = bytes([_SIGN_REQUEST]) + packed(self._software.blob) + packed(over) + struct.pack(">I", 0)
        answer = Reader(asked(self._backing.socket, request)[1:])
        inner = Reader(answer.string())
        inner.string()
        return packed(b"sk-ssh-ed25519@openssh.com") + packed(inner.string()) + state

    def write_files(self, path: Path) -> Key:
        """Write the files that `ssh-keygen -t ed25519-sk` writes: the private one holds a handle of the device."""
        kind = b"sk-ssh-ed25519@openssh.com"
        private = struct.pack(">II", 7, 7) + packed(kind) + packed(self.point) + packed(self.APPLICATION)
        private += b"\x01" + packed(b"handle" * 8) + packed(b"") + packed(b"security key")
        private += bytes(range(1, 1 + -len(private) % 8))
        whole = b"openssh-key-v1\0" + packed(b"none") + packed(b"none") + packed(b"") + struct.pack(">I", 1)
        text = base64.encodebytes(whole + packed(self.blob) + packed(private)).decode()
        path.write_text(f"-----BEGIN OPENSSH PRIVATE KEY-----\n{text}-----END OPENSSH PRIVATE KEY-----\n")
        path.chmod(0o600)
        path.with_name(f"{path.name}.pub").write_text(f"{self.public.text} security key\n")
        return Key(path)


@contextlib.contextmanager
def security_key(directory: Path) -> Iterator[tuple[SecurityKey, str]]:
    """Give a double of a security key, and the socket of the agent that it is in."""
    key = make_key(directory / "inside-the-security-key")
    with real_agent(key) as backing:
        device = SecurityKey(backing, key)
        with own_agent(device.answer) as agent:
            yield device, agent.socket


# --- a server --------------------------------------------------------------------------------------


def _refuse(why: str) -> None:
    missing(f"NO REAL SSHD: {why}. Forwarded agents were not tested.")


@dataclass
class Login:
    """A session on the server, with the agent forwarded; it lasts until `end`."""

    process: subprocess.Popen[bytes]
    socket: str

    def end(self) -> None:
        """Log out: the server removes the socket."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(DEADLINE)


@contextlib.contextmanager
def forwarded_login(directory: Path, agent: RealAgent, login_key: Key) -> Iterator[Login]:
    """Log in over a real sshd on loopback with `ssh -A`; skip loudly, or fail in CI, where there can be none."""
    server = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if server is None:
        _refuse("openssh-server is not installed")
        return
    host_key = make_key(directory / "host_key")
    (directory / "authorized_keys").write_text(f"{login_key.text}\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = directory / "sshd_config"
    config.write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {host_key.path}\nPidFile none\nUsePAM no\nStrictModes no\n"
        f"AuthorizedKeysFile {directory / 'authorized_keys'}\nPermitRootLogin yes\nAllowAgentForwarding yes\n"
    )
    argv = [server, "-D", "-e", "-f", str(config)]
    if os.geteuid() == 0:  # it wants /run/sshd, which only it gets to see
        inside = 'mount -t tmpfs none /run && mkdir -m 0755 /run/sshd && exec "$@"'
        argv = ["unshare", "-m", "sh", "-c", inside, "sh", *argv]
    log = directory / "sshd.log"
    with log.open("wb") as stream:
        daemon = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=stream, env=_CLEAN, start_new_session=True)
    try:
        until(lambda: daemon.poll() is not None or _listens(port), "the server")
        if daemon.poll() is not None:
            _refuse(log.read_text(errors="replace"))
        with _session(port, agent, login_key, log) as login:
            yield login
    finally:
        daemon.terminate()
        daemon.wait(DEADLINE)


@contextlib.contextmanager
def _session(port: int, agent: RealAgent, login_key: Key, log: Path) -> Iterator[Login]:
    options = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "BatchMode=yes", "IdentitiesOnly=yes")
    where = ["-p", str(port), "-i", str(login_key.path), f"{getpass.getuser()}@127.0.0.1"]
    process = subprocess.Popen(
        ["ssh", "-F", "none", "-A", *(word for each in options for word in ("-o", each)), *where, _SHOW],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**_CLEAN, "SSH_AUTH_SOCK": agent.socket, "HOME": os.environ.get("HOME", "/")},
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        path = process.stdout.readline().decode().strip()
        if not path:
            process.kill()
            said = process.communicate(timeout=DEADLINE)[1].decode(errors="replace")
            _refuse(f"logging in did not work: {said}{log.read_text(errors='replace')}")
        login = Login(process, path)
        yield login
        if process.poll() is None:
            login.end()
    finally:
        process.kill()
        process.wait(DEADLINE)
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


_SHOW = 'echo "$SSH_AUTH_SOCK"; exec cat'


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def fake_keygen(directory: Path, script: str) -> str:
    """Return a PATH on which ssh-keygen is a shell script: an old or a hanging one cannot be had here."""
    program = directory / "ssh-keygen"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return f"{directory}:/usr/bin:/bin"
