"""Changes the file of people: adds and retires, and removes nobody, since old signatures are checked against it.

Each change is one step for readers, and two at once lose nothing. Lines that are not meant stay as they are.
"""

import contextlib
import datetime as dt
import fcntl
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from opsconsole.model.errors import OpsconsoleError
from opsconsole.model.people import Person, Role
from opsconsole.signing.allowed_signers import (
    OPTION,
    Entry,
    Signers,
    SignersError,
    encoded,
    for_keygen,
    name_problem,
    principal_problem,
    read_signers,
    written_time,
)
from opsconsole.signing.keygen import KeygenProblem, KeygenTooOld, keygen, name_of, sealed
from opsconsole.signing.keys import PublicKey
from opsconsole.signing.refusals import unusable_keygen
from opsconsole.signing.revocations import KRL_MAGIC, Revocations
from opsconsole.signing.trusted import Unreadable, Untrusted, read_trusted

_MODE = 0o644
"""Everybody may know who signs; only the owner may change it."""
_DIRECTORY_MODE = 0o755
_SECONDS = 10.0
_PRINCIPAL_FIELD = re.compile(r"""[ \t]*("[^"]*"|[^ \t]+)[ \t]+""")


class PeopleError(OpsconsoleError):
    """The file of people was not changed; the message says why."""

    title = "people"


class NewPerson(msgspec.Struct, frozen=True, kw_only=True):
    """A key to add, for somebody who may have others."""

    principal: str
    name: str
    roles: tuple[Role, ...]
    key: PublicKey
    valid_after: dt.datetime
    """From when on it may sign: what was signed before cannot be claimed later."""
    valid_before: dt.datetime | None = None


def add_person(path: Path, new: NewPerson, revocations: Revocations) -> Person:
    """Append a line to the file, making it where it is missing; raises PeopleError."""
    problem = principal_problem(new.principal) or name_problem(new.name)
    if problem is not None:
        raise PeopleError(problem)
    if not new.roles:
        raise PeopleError("a role is missing", "--role operator, reviewer or approver")
    if new.key.weakness is not None:
        raise PeopleError(str(new.key.weakness))
    if new.valid_before is not None and new.valid_before <= new.valid_after:
        raise PeopleError("it would never be valid: its end is not after its beginning")
    _check_key(new.key, revocations)
    with _changing(path) as change:
        signers = change.signers
        kept = encoded(signers.lines)
        separator = b"\n" if kept and not kept.endswith(b"\n") else b""
        content = kept + separator + _line(new).encode("utf-8")
        try:
            changed = read_signers(content)
        except SignersError as error:
            raise PeopleError(str(error), _way_on(new, signers)) from error
        _check_file(content, new.principal)
        change.write(content)
    return changed.people[-1]


def retire_person(path: Path, principal: str, at: dt.datetime, fingerprint: str = "") -> tuple[Person, ...]:
    """Let a person's keys, or one of them, end at an instant; return them as they are then. Raises PeopleError.

    A key whose time had not begun yet has signed nothing: its line becomes a comment.
    """
    with _changing(path) as change:
        signers = change.signers
        named = [each for each in signers.entries if each.principal == principal]
        meant = [each for each in named if fingerprint in {"", each.key.fingerprint}]
        if not meant:
            raise PeopleError(
                f"{principal} has no key {fingerprint}" if named else f"nobody is called '{principal}'",
                "opsconsole people list --all",
            )
        ending = [each for each in meant if each.person.valid_before is None or each.person.valid_before > at]
        if not ending:
            raise PeopleError(f"{principal} is retired already", "opsconsole people list --all")
        lines = list(signers.lines)
        retired = []
        for entry in ending:
            line, person = _retired(lines[entry.number - 1], entry.person, at)
            lines[entry.number - 1] = line
            retired.append(person)
        content = encoded(lines)
        if any(each.principal == principal for each in read_signers(content).entries):
            _check_file(content, principal)
        change.write(content)
    return tuple(retired)


def _retired(line: str, person: Person, at: dt.datetime) -> tuple[str, Person]:
    """Return a line whose key ends at an instant; one that began in the same second ends with that."""
    after = person.valid_after
    if after is not None and after > at:
        return f"# retired before it was valid: {line}", msgspec.structs.replace(person, valid_before=at)
    end = at if after is None else max(at, after + dt.timedelta(seconds=1))
    return with_option(line, "valid-before", written_time(end)), msgspec.structs.replace(person, valid_before=end)


def revoke_key(path: Path, key: PublicKey, comment: str) -> None:
    """Append a key to the plain list of revoked keys; raises PeopleError. Nothing that it signed holds any more."""
    with _changing(path, parse=False) as change:
        if change.content.startswith(KRL_MAGIC):
            raise PeopleError(f"{path} is a key revocation list", f"ssh-keygen -k -u -f {path} FILE.pub")
        separator = b"\n" if change.content and not change.content.endswith(b"\n") else b""
        change.write(change.content + separator + f"{key.text} {comment}\n".encode())


def with_option(line: str, name: str, value: str) -> str:
    """Return a line of the file with one option set, and everything else as it is."""
    start = _PRINCIPAL_FIELD.match(line)
    if start is None:
        raise ValueError("the line names nobody")
    at = start.end()
    option = f'{name}="{value}"'
    while (found := OPTION.match(line, at)) is not None:
        if found["name"].lower() == name:
            return line[: found.start()] + option + line[found.end() :]
        at = found.end()
        if line[at : at + 1] != ",":
            break
        at += 1
    return f"{line[:at]},{option}{line[at:]}"


def _line(new: NewPerson) -> str:
    namespaces = ",".join(role.namespace for role in Role if role in new.roles)
    options = [f'namespaces="{namespaces}"', f'valid-after="{written_time(new.valid_after)}"']
    if new.valid_before is not None:
        options.append(f'valid-before="{written_time(new.valid_before)}"')
    return f"{new.principal} {','.join(options)} {new.key.text} {new.name}\n"


def _way_on(new: NewPerson, signers: Signers) -> str:
    same: Entry | None = next((each for each in signers.entries if each.key.blob == new.key.blob), None)
    if same is not None and same.principal == new.principal:
        return (
            "to give other roles, end the old line first: opsconsole people retire "
            f"{new.principal} --fingerprint {new.key.fingerprint}; then add it again with all its roles"
        )
    taken = next((each for each in signers.entries if each.principal.casefold() == new.principal.casefold()), None)
    if taken is not None and taken.name != new.name:
        return f"is it {taken.name}? Then --name {taken.name!r}; another person needs another principal"
    return "opsconsole people list --all"


def _check_key(key: PublicKey, revocations: Revocations) -> None:
    """Let ssh-keygen read the key: what it cannot use would verify nothing."""
    with sealed(f"{key.text}\n".encode("ascii")) as (public,):
        try:
            said = keygen(["-l", "-f", name_of(public)], descriptors=(public,), timeout=_SECONDS)
            revoked = revocations.revokes(key)
        except KeygenProblem as error:
            unusable = unusable_keygen(error)
            raise PeopleError(str(unusable), unusable.hint) from error
        except Unreadable as error:
            raise PeopleError(str(error)) from error
    if not said.ok or key.fingerprint.encode("ascii") not in said.stdout.split():
        raise PeopleError(f"ssh-keygen cannot use this key: {said.last_line}")
    if revoked:
        raise PeopleError(f"the key {key.fingerprint} was revoked", "make another: ssh-keygen -t ed25519")


def _check_file(content: bytes, principal: str) -> None:
    """Let ssh-keygen find the person in the new file, before anybody else reads it."""
    with sealed(for_keygen(content)) as (file,):
        arguments = ["-Y", "match-principals", "-I", principal, "-f", name_of(file)]
        try:
            said = keygen(arguments, descriptors=(file,), timeout=_SECONDS)
        except KeygenTooOld:
            return
        except KeygenProblem as error:
            unusable = unusable_keygen(error)
            raise PeopleError(str(unusable), unusable.hint) from error
    if not said.ok or principal.encode("ascii") not in said.stdout.split():
        raise PeopleError(f"ssh-keygen would not understand the file: {said.last_line}", "it was not changed")


class _Change:
    """A file that nobody else changes meanwhile."""

    def __init__(self, path: Path, content: bytes, signers: Signers) -> None:
        self._path = path
        self.content = content
        self.signers = signers

    def write(self, content: bytes) -> None:
        """Replace the file in one step, durably; its owner stays."""
        directory = self._path.parent
        descriptor, temporary = tempfile.mkstemp(dir=directory, prefix=f".{self._path.name}-")
        try:
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(descriptor, _MODE)
                with contextlib.suppress(FileNotFoundError, PermissionError):
                    status = self._path.stat()
                    os.fchown(descriptor, status.st_uid, status.st_gid)
                file.write(content)
                file.flush()
                os.fsync(descriptor)
            Path(temporary).replace(self._path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
            raise
        with _opened_directory(directory) as opened, contextlib.suppress(OSError):
            os.fsync(opened)


@contextlib.contextmanager
def _changing(path: Path, *, parse: bool = True) -> Iterator[_Change]:
    """Give the file for a change; others who change it wait. Raises PeopleError where it cannot be read."""
    target = path.resolve()
    try:
        target.parent.mkdir(mode=_DIRECTORY_MODE, parents=True, exist_ok=True)
        with _opened_directory(target.parent) as directory:
            fcntl.flock(directory, fcntl.LOCK_EX)
            content = read_trusted(path) or b""
            yield _Change(target, content, read_signers(content) if parse else Signers((), ()))
    except (Untrusted, Unreadable) as error:
        raise PeopleError(str(error), "nothing was changed") from error
    except SignersError as error:
        raise PeopleError(f"{path}: {error}", "mend that line first; nothing was changed") from error


@contextlib.contextmanager
def _opened_directory(directory: Path) -> Iterator[int]:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
