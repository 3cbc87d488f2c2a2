"""The file of people, keys and roles, in the format of OpenSSH: ssh-keygen(1), ALLOWED SIGNERS.

    PRINCIPAL OPTIONS TYPE BASE64 PRINTED NAME

It is read as ssh-keygen reads it, and refused where ssh-keygen would take it and leave open who somebody is:
patterns, several principals on a line, a key that belongs to two people, a person with two names, a time that is
another instant on each host. Lines are kept exactly as they are.
"""

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from opsconsole.model.people import Person, Role
from opsconsole.model.text import shortened, visible
from opsconsole.signing.keys import KeyTextError, PublicKey, key_of_text

PRINCIPAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}\Z")
OPTION = re.compile(r"""(?P<name>[A-Za-z-]+)(?:="(?P<value>(?:[^"\\]|\\.)*)")?""")
"""One option: a flag, or a name with its value in quotes."""
MAX_NAME = 128
"""Characters of a printed name."""
MAX_LINE = 8_000
"""Characters; the line of a 16,384 bit RSA key has 3,000."""
_ROLES = {role.namespace: role for role in Role}
_FLAGS = frozenset({"cert-authority"})
_VALUED = frozenset({"namespaces", "valid-after", "valid-before"})
_BLANK = " \t"
_TIME_FORMATS = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}


class SignersError(ValueError):
    """What is wrong with the file; the message begins with the line."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(f"line {line}: {message}" if line else message)
        self.line = line


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One line that gives a key to a person."""

    number: int
    """Of the line, from 1."""
    principal: str
    options: tuple[tuple[str, str], ...]
    """Names in lower case with their values, without quotes; a flag has an empty one. In their order."""
    key: PublicKey
    comment: str

    @property
    def name(self) -> str:
        """The printed name."""
        return self.comment or self.principal

    def option(self, name: str) -> str:
        """Return the value of an option, empty where it is not there."""
        return dict(self.options).get(name, "")

    @property
    def person(self) -> Person:
        """The line as the rest of the program sees it."""
        given = set(self.option("namespaces").split(","))
        return Person(
            principal=self.principal,
            name=self.name,
            roles=tuple(role for namespace, role in _ROLES.items() if namespace in given),
            fingerprint=self.key.fingerprint,
            key_type=self.key.type,
            public_key=self.key.text,
            valid_after=_instant(self, "valid-after"),
            valid_before=_instant(self, "valid-before"),
            line=self.number,
        )


class Signers(msgspec.Struct, frozen=True):
    """The whole file: its lines exactly as they are, and what they say."""

    lines: tuple[str, ...]
    """With their ends; bytes that are no UTF-8 are surrogates."""
    entries: tuple[Entry, ...]
    """In the order of the file."""

    @property
    def people(self) -> tuple[Person, ...]:
        """Everybody, an entry for each line with a key."""
        return tuple(entry.person for entry in self.entries)

    @property
    def content(self) -> bytes:
        """The bytes of the file."""
        return encoded(self.lines)

    def lines_of(self, principals: Iterable[str]) -> bytes:
        """Return the lines of these people, exactly as they stand there, each with an end."""
        wanted = set(principals)
        found = (self.lines[entry.number - 1] for entry in self.entries if entry.principal in wanted)
        return encoded(line if line.endswith("\n") else f"{line}\n" for line in found)


def for_keygen(content: bytes) -> bytes:
    """Return lines of a file as every ssh-keygen understands them while its zone is UTC, as `keygen` sets it.

    Before OpenSSH 9.1 a time with a Z was none, and all times were local ones.
    """
    return re.sub(rb"""(valid-(?:after|before)="[0-9]+)[Zz]\"""", rb'\1"', content, flags=re.IGNORECASE)


def encoded(lines: Iterable[str]) -> bytes:
    """Return lines as the bytes that they were read from."""
    return "".join(lines).encode("utf-8", "surrogateescape")


def read_signers(content: bytes) -> Signers:
    """Return what a file says; raises SignersError for the first line that cannot be used."""
    text = content.decode("utf-8", "surrogateescape")
    lines = tuple(re.findall(r"[^\n]*\n|[^\n]+", text))
    entries = tuple(_entries(lines))
    _refuse_ambiguous(entries)
    return Signers(lines, entries)


def _entries(lines: Sequence[str]) -> Iterator[Entry]:
    for number, line in enumerate(lines, 1):
        try:
            found = read_line(line, number)
        except KeyTextError as error:
            raise SignersError(number, str(error)) from error
        if found is not None:
            yield found


def read_line(line: str, number: int = 0) -> Entry | None:
    """Return what a line says, None for a comment or nothing; raises SignersError and KeyTextError."""
    rest = line.rstrip("\r\n").strip(_BLANK)
    if not rest or rest.startswith("#"):
        return None
    if len(rest) > MAX_LINE:
        raise SignersError(number, f"it is longer than {MAX_LINE:,} characters")
    if "\0" in rest:
        raise SignersError(number, "it holds a NUL character")
    principal, rest = _principal(rest, number)
    options, rest = _options(rest, number)
    key, comment = key_of_text(rest)
    if key.weakness is not None:
        raise SignersError(number, str(key.weakness))
    if comment and (problem := name_problem(comment)) is not None:
        raise SignersError(number, problem)
    entry = Entry(number=number, principal=principal, options=options, key=key, comment=comment)
    _check_options(entry)
    return entry


def name_problem(name: str) -> str | None:
    """Return why a text is no printed name, None where it is one."""
    if not name.strip():
        return "a printed name is missing"
    if len(name) > MAX_NAME:
        return f"a printed name has {MAX_NAME} characters at most"
    if visible(name) != name:
        return f"the printed name holds what cannot be printed: {visible(name)}"
    return None


def principal_problem(principal: str) -> str | None:
    """Return why a text names no person for ever, None where it does."""
    shown = f"'{shortened(visible(principal), 60)}'"
    if "," in principal:
        return f"{shown} are several principals; give each person a line of their own"
    if any(sign in principal for sign in "*?!"):
        return f"{shown} is a pattern, which names nobody in particular; write one person's principal"
    if PRINCIPAL.match(principal) is None:
        return f"{shown} names no person; letters, digits and . _ @ + - do, such as jane@example.com"
    return None


def _principal(rest: str, number: int) -> tuple[str, str]:
    if rest.startswith('"'):
        principal, quote, rest = rest[1:].partition('"')
        if not quote:
            raise SignersError(number, "a quote is not closed")
    else:
        principal, _, rest = _split(rest)
    if (problem := principal_problem(principal)) is not None:
        raise SignersError(number, problem)
    return principal, rest.strip(_BLANK)


def _split(text: str) -> tuple[str, str, str]:
    """Return the text before the first blank, the blank, and the rest."""
    match = re.search(r"[ \t]+", text)
    return (text, "", "") if match is None else (text[: match.start()], match.group(), text[match.end() :])


def _options(rest: str, number: int) -> tuple[tuple[tuple[str, str], ...], str]:
    """Return the options and what follows them: there are none where the key comes at once."""
    try:
        key_of_text(rest)
    except KeyTextError:
        pass
    else:
        return (), rest
    found: list[tuple[str, str]] = []
    while True:
        name, value, rest = _option(rest, number)
        if name in dict(found):
            raise SignersError(number, f"the option {name} is given twice")
        found.append((name, value))
        if not rest.startswith(","):
            break
        rest = rest[1:]
    if not rest or rest[0] not in _BLANK:
        raise SignersError(number, "after the principal come options, separated by commas only, then a key")
    return tuple(found), rest.strip(_BLANK)


def _option(rest: str, number: int) -> tuple[str, str, str]:
    match = OPTION.match(rest)
    name = match["name"].lower() if match is not None else ""
    if match is None or name not in _FLAGS | _VALUED:
        word = shortened(visible(_split(rest)[0]), 40)
        known = ", ".join(sorted(_FLAGS | _VALUED))
        raise SignersError(number, f"'{word}' is neither a key nor one of the options {known}")
    value = match["value"]
    if name in _VALUED and value is None:
        raise SignersError(number, f'the value of {name} belongs in double quotes: {name}="..."')
    if name in _FLAGS and value is not None:
        raise SignersError(number, f"{name} takes no value")
    return name, (value or "").replace('\\"', '"'), rest[match.end() :]


def _check_options(entry: Entry) -> None:
    if entry.options and "cert-authority" in dict(entry.options):
        raise SignersError(
            entry.number,
            "cert-authority: an authority's key names nobody; give each person a line with a key of their own",
        )
    namespaces = entry.option("namespaces")
    if not namespaces:
        example = f'namespaces="{Role.OPERATOR.namespace}"'
        raise SignersError(
            entry.number, f"without namespaces {entry.principal} would have every role; write the roles: {example}"
        )
    if any(sign in namespaces for sign in "*?!"):
        raise SignersError(
            entry.number, f"the pattern in namespaces leaves open which roles; write them: {','.join(_ROLES)}"
        )
    after, before = _instant(entry, "valid-after"), _instant(entry, "valid-before")
    if after is not None and before is not None and after >= before:
        raise SignersError(entry.number, "valid-before is not later than valid-after: it is never valid")


def _instant(entry: Entry, name: str) -> dt.datetime | None:
    text = entry.option(name)
    return read_time(text, name, entry.number) if text else None


def read_time(text: str, name: str = "time", number: int = 0) -> dt.datetime:
    """Return the instant that `YYYYMMDD[HHMM[SS]]Z` means; raises SignersError."""
    digits = text.removesuffix("Z").removesuffix("z")
    layout = _TIME_FORMATS.get(len(digits)) if re.fullmatch("[0-9]+", digits) else None
    try:
        found = dt.datetime.strptime(digits, layout or "none").replace(tzinfo=dt.UTC)
    except ValueError as error:
        shown = shortened(visible(text), 40)
        raise SignersError(number, f"{name}: '{shown}' is no time; write YYYYMMDDHHMMSSZ, in UTC") from error
    if digits == text:
        raise SignersError(
            number, f'{name}: "{text}" is another instant on each host; write it in UTC with a Z: "{text}Z"'
        )
    return found


def written_time(at: dt.datetime) -> str:
    """Return an instant as the file has it, to the second."""
    return at.astimezone(dt.UTC).strftime("%Y%m%d%H%M%SZ")


def _refuse_ambiguous(entries: Sequence[Entry]) -> None:
    keys: dict[bytes, list[Entry]] = {}
    people: dict[str, Entry] = {}
    for entry in entries:
        first = people.setdefault(entry.principal.casefold(), entry)
        if first.principal != entry.principal:
            raise SignersError(
                entry.number,
                f"'{entry.principal}' and '{first.principal}' (line {first.number}) differ in case only; "
                "write both the same, or name two people apart",
            )
        if first.name != entry.name:
            raise SignersError(
                entry.number,
                f"{entry.principal} is called '{entry.name}' here and '{first.name}' in line {first.number}; "
                "a principal belongs to one person for ever",
            )
        for other in keys.setdefault(entry.key.blob, []):
            _refuse_same_key(other, entry)
        keys[entry.key.blob].append(entry)


def _refuse_same_key(other: Entry, entry: Entry) -> None:
    """Refuse a key that comes twice, but for the same person at another time, perhaps with other roles."""
    if other.principal != entry.principal:
        raise SignersError(
            entry.number,
            f"the key {entry.key.fingerprint} belongs to {other.principal} (line {other.number}) and to "
            f"{entry.principal}: who signed with it? Each person needs a key of their own: ssh-keygen -t ed25519",
        )
    first, second = other.person, entry.person
    starts = [each.valid_after or _EVER_BEFORE for each in (first, second)]
    ends = [each.valid_before or _EVER_AFTER for each in (first, second)]
    if max(starts) < min(ends):
        raise SignersError(
            entry.number,
            f"the key {entry.key.fingerprint} stands in line {other.number} already, for the same time; "
            "write all its roles into one line",
        )


_EVER_BEFORE = dt.datetime.min.replace(tzinfo=dt.UTC)
_EVER_AFTER = dt.datetime.max.replace(tzinfo=dt.UTC)
