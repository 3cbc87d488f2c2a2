"""The file of people: what is read, what is refused and why, and that lines stay as they are."""

import base64
import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.model.people import Role
from opsconsole.signing.allowed_signers import Signers, SignersError, read_signers, written_time
from opsconsole.signing.editing import with_option
from opsconsole.signing.wire import packed

NAMESPACES = 'namespaces="run@opsconsole.v1"'


def key(seed: int = 0, kind: str = "ssh-ed25519") -> str:
    """Return a public key as text; nobody has its private half."""
    more = packed(b"ssh:") if kind.startswith("sk-") else b""
    blob = packed(kind.encode()) + packed(bytes([seed]) * 32) + more
    return f"{kind} {base64.b64encode(blob).decode()}"


def rsa(bits: int) -> str:
    """Return an RSA key of a size."""
    modulus = b"\0" + (1 << (bits - 1)).to_bytes(bits // 8, "big")
    blob = packed(b"ssh-rsa") + packed(b"\x01\x00\x01") + packed(modulus)
    return f"ssh-rsa {base64.b64encode(blob).decode()}"


def line(
    principal: str = "jane@example.com", options: str = NAMESPACES, text: str = "", name: str = "Jane Doe"
) -> str:
    """Return one line."""
    return " ".join(filter(None, (principal, options, text or key(), name))) + "\n"


def read(*lines: str) -> Signers:
    """Read lines as a file."""
    return read_signers("".join(lines).encode())


# --- what is read ----------------------------------------------------------------------------------


def test_a_person() -> None:
    """Roles come from namespaces, validity from the options, the printed name from the end of the line."""
    options = 'namespaces="run@opsconsole.v1,git,approve@opsconsole.v1",valid-after="20260102Z",'
    options += 'valid-before="20270102030405Z"'
    (person,) = read("# people\n", "\n", line(options=options)).people
    assert (person.principal, person.name, person.line) == ("jane@example.com", "Jane Doe", 3)
    assert person.roles == (Role.OPERATOR, Role.APPROVER)
    assert person.valid_after == dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
    assert person.valid_before == dt.datetime(2027, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
    assert person.public_key == key()
    assert person.fingerprint.startswith("SHA256:")
    assert not person.hardware


@pytest.mark.parametrize(
    "text",
    [
        line(name=""),
        f'"jane@example.com" {NAMESPACES} {key()}\n',
        f"  jane@example.com\t{NAMESPACES}\t\t{key()}  \r\n",
        line(options='NAMESPACES="run@opsconsole.v1"'),
        line(name="O'Doe, Jane # \u00e9\u00e8").removesuffix("\n"),
        line(text=key(1, "sk-ssh-ed25519@openssh.com")),
        line(text=rsa(3072)),
    ],
)
def test_what_ssh_keygen_reads_is_read(text: str) -> None:
    """Quotes, blanks, upper case and a missing last line feed mean what they mean to ssh-keygen."""
    (person,) = read(text).people
    assert person.principal == "jane@example.com"
    assert person.roles == (Role.OPERATOR,)


def test_a_person_may_have_several_keys_and_times() -> None:
    """Another key is another line; the same key may come back with other roles, at another time."""
    ended, begun = 'valid-before="20260101Z"', 'valid-after="20260101Z"'
    signers = read(
        line(text=key(1)),
        line(text=key(2), options=f"{NAMESPACES},{ended}"),
        line(text=key(2), options=f'namespaces="review@opsconsole.v1",{begun}'),
    )
    assert [each.roles for each in signers.people] == [(Role.OPERATOR,), (Role.OPERATOR,), (Role.REVIEWER,)]


# --- what is refused -------------------------------------------------------------------------------

REFUSED = {
    "pattern": (line("*@example.com"), "is a pattern"),
    "question mark": (line("jan?"), "is a pattern"),
    "negation": (line("!jane"), "is a pattern"),
    "several principals": (line("jane,bob"), "a line of their own"),
    "no name for a person": (line("jane/../bob"), "names no person"),
    "an authority": (line(options=f"cert-authority,{NAMESPACES}"), "cert-authority"),
    "every role": (line(options=""), "every role"),
    "every role, with options": (line(options='valid-after="20260101Z"'), "every role"),
    "pattern of roles": (line(options='namespaces="*@opsconsole.v1"'), "leaves open which roles"),
    "unknown option": (line(options=f"{NAMESPACES},no-touch-required"), "neither a key nor one of the options"),
    "option twice": (line(options=f"{NAMESPACES},{NAMESPACES}"), "given twice"),
    "value without quotes": (line(options="namespaces=run@opsconsole.v1"), "double quotes"),
    "blank between options": (line(options=f'{NAMESPACES}, valid-after="20260101Z"'), "neither a key nor"),
    "comma at the end": (line(options=f"{NAMESPACES},"), "neither a key nor"),
    "open quote": (line(options='namespaces="run'), "double quotes"),
    "local time": (line(options=f'{NAMESPACES},valid-after="20260101"'), "another instant on each host"),
    "no time": (line(options=f'{NAMESPACES},valid-after="20261301Z"'), "is no time"),
    "never valid": (
        line(options=f'{NAMESPACES},valid-after="20270101Z",valid-before="20260101Z"'),
        "never valid",
    ),
    "valid for no time": (
        line(options=f'{NAMESPACES},valid-after="20270101Z",valid-before="20270101000000Z"'),
        "never valid",
    ),
    "no key": (f"jane {NAMESPACES}\n", "then a key"),
    "half a key": (line(text=key()[:60]), "no public key"),
    "key of another type": (line(text="ssh-rsa " + key().split()[1]), "no public key"),
    "DSA": (line(text="ssh-dss " + base64.b64encode(packed(b"ssh-dss")).decode()), "DSA"),
    "short RSA": (line(text=rsa(2048)), "2048 bits is too weak"),
    "private key": (line(text="-----BEGIN OPENSSH PRIVATE KEY-----"), "private key"),
    "name that cannot be printed": (line(name="Jane\x1b[31m"), "cannot be printed"),
    "long name": (line(name="J" * 200), "128 characters"),
    "NUL": (line(name="Jane\0Doe"), "NUL"),
    "long line": (line(name="J" * 10_000), "longer than"),
    "key of two people": (line() + line("bob", name="Bob"), "belongs to jane@example.com (line 2) and to bob"),
    "person of two names": (line() + line(text=key(1), name="Bob"), "belongs to one person for ever"),
    "name in one line only": (line() + line(text=key(1), name=""), "belongs to one person for ever"),
    "case only": (line() + line("Jane@example.com", text=key(1)), "differ in case only"),
    "same key, same time": (line() + line(options='namespaces="review@opsconsole.v1"'), "for the same time"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_leaves_open_who_it_is_is_refused(case: str) -> None:
    """The message names the line, and what to write instead."""
    text, said = REFUSED[case]
    with pytest.raises(SignersError) as error:
        read("# one line before\n", text)
    assert said in str(error.value)
    assert error.value.line == (3 if text.count("\n") == 2 else 2)
    assert str(error.value).startswith(f"line {error.value.line}: ")


def read_or_refused(content: bytes) -> Signers | SignersError:
    """Read bytes as a file, or return why it is none."""
    try:
        return read_signers(content)
    except SignersError as error:
        return error


# --- lines stay as they are ------------------------------------------------------------------------


@given(
    st.lists(
        st.sampled_from(
            [
                "\n",
                "# note\r\n",
                "  # \udcff\n",
                "\t\n",
                line(),
                line(text=key(1)),
                line("bob", text=key(2), name="B"),
            ]
        ),
        unique=True,
    )
)
def test_a_file_is_kept_byte_by_byte(lines: list[str]) -> None:
    """Comments, blank lines and bytes that are no text survive, and each person's lines can be taken out."""
    content = "".join(lines).encode("utf-8", "surrogateescape")
    signers = read_signers(content)
    assert signers.content == content
    jane = "".join(each for each in lines if each.startswith("jane")).encode()
    assert signers.lines_of(["jane@example.com"]) == jane


@given(st.binary(max_size=300))
def test_no_bytes_can_harm(content: bytes) -> None:
    """Whatever stands in the file, it is read or refused, never more."""
    found = read_or_refused(content)
    assert found.line > 0 if isinstance(found, SignersError) else found.content == content


@given(st.text(alphabet='jane@,"=\\ \t#ZCAd-', max_size=80))
def test_no_options_can_harm(text: str) -> None:
    """The same for lines that are nearly right."""
    for whole in (f"jane {text} {key()}\n", f"jane {NAMESPACES},{text} {key()}\n"):
        found = read_or_refused(whole.encode())
        assert found.line == 1 if isinstance(found, SignersError) else len(found.entries) <= 1


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (NAMESPACES, f'{NAMESPACES},valid-before="20260101000000Z"'),
        (f'VALID-BEFORE="20300101Z",{NAMESPACES}', f'valid-before="20260101000000Z",{NAMESPACES}'),
        ('namespaces="valid-before"', 'namespaces="valid-before",valid-before="20260101000000Z"'),
    ],
)
def test_one_option_is_set_and_nothing_else(before: str, after: str) -> None:
    """Retiring changes the end of a key's time, and no other character of the line."""
    whole = f'\t"jane"  {before}   {key()}  Jane  Doe\r\n'
    at = written_time(dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    assert with_option(whole, "valid-before", at) == whole.replace(before, after)
