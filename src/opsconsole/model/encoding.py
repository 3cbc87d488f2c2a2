"""How structs of the model become plain JSON values and come back, without a float on the way."""

import hashlib
from contextlib import suppress
from typing import Any, TypeVar

import msgspec
import rfc8785

from opsconsole.model.checklists import Checklist
from opsconsole.model.condition_parser import parse_condition
from opsconsole.model.conditions import Condition
from opsconsole.model.values import Duration

T = TypeVar("T")


def _encoded(value: Any) -> Any:
    if isinstance(value, Condition | Duration):
        return value.text
    raise NotImplementedError(f"{type(value).__name__} has no plain form")


def plain(value: Any) -> Any:
    """Return `value` as dicts, lists, strings, ints, booleans and None; a Decimal becomes a string."""
    return msgspec.to_builtins(value, enc_hook=_encoded, str_keys=True)


def canonical(value: Any) -> bytes:
    """Return the canonical JSON (RFC 8785) of a struct: the bytes that are hashed and stored.

    Raises ValueError where it holds a float or an integer beyond 2^53, which do not survive canonical JSON.
    """
    document = plain(value)
    if _is_simple(document):
        with suppress(UnicodeEncodeError):  # half a surrogate pair, which the other one explains
            return msgspec.json.encode(document, order="sorted")
    return rfc8785.dumps(document)


_LARGEST = 2**53 - 1
"""Beyond it integers are no numbers of JSON that every program reads alike (RFC 8785, section 3.2.2.3)."""


def _is_simple(value: Any) -> bool:
    """Return whether msgspec writes `value` as RFC 8785 has it, ten times faster; raise ValueError for a float.

    What the two do not agree on is the order of keys that are not ASCII, and what to do with large integers.
    """
    kind = type(value)
    if kind is str or value is None or kind is bool:
        return True
    if kind is int:
        return bool(-_LARGEST <= value <= _LARGEST)
    if isinstance(value, float):
        raise ValueError(f"{value!r} is a float; numbers of a record are decimals")  # noqa: TRY004 - refused as any other value is
    if kind is dict:
        found = [_is_simple(each) for each in value.values()]  # of all of them: any may be a float
        return all(found) and all(type(key) is str and key.isascii() for key in value)
    if kind is list or kind is tuple:
        found = [_is_simple(each) for each in value]
        return all(found)
    return False


def decoded(document: bytes, kind: type[T]) -> T:
    """Return the struct that `document` (JSON) holds; raise msgspec.ValidationError where it is another."""
    return msgspec.json.decode(document, type=kind, dec_hook=dec_hook)


def _no_float(text: str) -> Any:
    raise ValueError(f"{text} is a float; numbers of a record are decimals")


_PLAIN = msgspec.json.Decoder(float_hook=_no_float)


def is_canonical(document: bytes) -> bool:
    """Return whether `document` is canonical JSON: written in the one way there is, every key once, in one line.

    Parsers differ in what they make of others: of two keys of one name each takes the one it likes.
    """
    try:
        value = _PLAIN.decode(document)
        return msgspec.json.encode(value, order="sorted") == document or rfc8785.dumps(value) == document
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return False


def dec_hook(kind: type, value: Any) -> Any:
    """Turn plain JSON values into the model's own types; raises ValueError with what was meant."""
    if kind is Condition:
        return parse_condition(value)
    if kind is Duration:
        return Duration.parse(value)
    raise NotImplementedError(f"{kind.__name__} cannot be read")


def definition_hash(checklist: Checklist) -> str:
    """Return the SHA-256 of a definition in hexadecimal: equal for files that say the same."""
    return hashlib.sha256(canonical(checklist)).hexdigest()
