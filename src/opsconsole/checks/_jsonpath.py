"""JSON answers, and what a path (RFC 9535) leads to in one; pure, for every probe that gets JSON.

A path of names and indexes (`$.status`, `$.checks[0].ok`) leads to one place, any other (`$.checks[*].ok`) to as
many as there are. RFC 9535 leaves out in silence what has no such member: of `{"checks": [{"ok": true}, {}]}` the
path `$.checks[*].ok` selects one value, and all of them would be true. Here a step that leads nowhere leaves
MISSING in its place, which becomes a cell with nothing in it and no pass. Only what a filter or `..` leaves out is
left out; but a filter that compares what no element has (`$.checks[?@.state == 'down']`, where a later version
calls the state otherwise) has seen nothing, and leads nowhere.
"""

import json
import threading
from collections.abc import Iterator, Sequence
from decimal import Decimal, DecimalException
from enum import Enum
from functools import cache, lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from jsonpath import JSONPath, JSONPathEnvironment, JSONPathMatch

MOST_NODES = 10_000
"""More places than this are not looked at: a path that selects more is TooManyError."""
_MOST_PATH = 1000
"""Characters of a path."""
_LOGICAL = frozenset({"&&", "||"})
_LIKE = "'$.status' or '$.checks[*].ok'"


class _Missing(Enum):
    MISSING = "missing"


MISSING: Final = _Missing.MISSING
"""Stands where a path leads nowhere; JSON's null is None."""


class JsonError(ValueError):
    """What was answered is no JSON, or nothing that a path can be followed in; the message says why."""


class TooManyError(JsonError):
    """A path selects more than MOST_NODES places."""


class PathError(ValueError):
    """A path is none; the message says why."""


def parsed(text: str | bytes) -> Any:
    """Return a JSON document, its numbers as int or Decimal; raise JsonError.

    NaN and Infinity, which JSON does not know and many servers write, are Decimals that are not finite. A name that
    an object has twice is an error: which of the two counts is nowhere said (RFC 8259, section 4).
    """
    try:
        said = text.decode("utf-8-sig") if isinstance(text, bytes) else text
    except UnicodeDecodeError as error:
        raise JsonError(f"it is no UTF-8 from byte {error.start} on") from None
    if not said.strip():
        raise JsonError("it is empty")
    try:
        return json.loads(said, parse_float=_number, parse_constant=Decimal, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise JsonError(f"{error.msg[:1].lower()}{error.msg[1:]}, at {where}") from None
    except RecursionError:
        raise JsonError("it is nested too deeply") from None
    except JsonError:
        raise
    except ValueError:  # an integer of thousands of digits
        raise JsonError("it holds a number that is too long") from None


def _number(text: str) -> Decimal:
    try:
        return Decimal(text)
    except DecimalException:
        raise JsonError("it holds a number that is too large or too small") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        once: set[str] = set()
        twice = next(name for name, _ in pairs if name in once or once.add(name))  # type: ignore[func-returns-value]
        raise JsonError(f"an object in it has the name '{twice[:100]}' twice")
    return found


class Place(msgspec.Struct, frozen=True):
    """One place that a path leads to."""

    path: str
    """Where it is, as a normalised path; the path up to the last step that led somewhere for MISSING."""
    node: Any
    """What is there: None, bool, int, Decimal, str, list or dict; or MISSING."""
    parts: tuple[str | int, ...] = ()
    """The names and indexes of `path`."""


class Path:
    """A path that was understood."""

    def __init__(self, text: str, compiled: "JSONPath") -> None:
        self.text = text
        self._segments = compiled.segments
        plain = [_plain(segment) for segment in self._segments]
        self.singular = all(plain)
        """Whether it leads to one place at most."""
        self.shared = len(plain) if self.singular else plain.index(False)
        """How many steps all places have in common that it leads to."""
        self._fork = 0 if self.singular else len(plain) - plain[::-1].index(False)

    @property
    def rows(self) -> str:
        """The part of the path up to the last step that selects many: what has the same is in the same row."""
        return "$" + "".join(map(str, self._segments[: self._fork]))

    def one(self, document: Any) -> Any:
        """Return what a singular path leads to, or MISSING."""
        return self.places(document)[0].node

    def heads(self, document: Any) -> list[Place]:
        """Return the places that the part `rows` leads to, in the order of the document; raise JsonError."""
        return self._walked(document, self._segments[: self._fork])

    def tail(self, head: Any) -> Any:
        """Return what the rest of the path leads to from the node of one of its `heads`, or MISSING."""
        return head if head is MISSING else self._walked(head, self._segments[self._fork :])[0].node

    def places(self, document: Any) -> list[Place]:
        """Return every place that it leads to; raise JsonError."""
        return self._walked(document, self._segments)

    def _walked(self, document: Any, segments: Sequence[Any]) -> list[Place]:
        from jsonpath import JSONPathMatch
        from jsonpath.exceptions import JSONPathError

        root = JSONPathMatch(filter_context={}, obj=document, parent=None, path="$", parts=(), root=document)
        found: Iterator[JSONPathMatch | Place] = iter((root,))
        for segment in segments:
            found = _steps(found, segment)
        try:
            places = list(islice(found, MOST_NODES + 1))
        except (JSONPathError, RecursionError, DecimalException) as error:
            raise JsonError(f"{self.text} cannot be followed in it: {_words(error)}") from None
        if len(places) > MOST_NODES:
            raise TooManyError(f"{self.text} selects more than {MOST_NODES:,} places")
        return [each if isinstance(each, Place) else Place(each.path, each.obj, each.parts) for each in places]


def _steps(nodes: "Iterator[JSONPathMatch | Place]", segment: Any) -> "Iterator[JSONPathMatch | Place]":
    """Yield what a step leads to from each node, with MISSING where it leads nowhere and a member was meant."""
    from jsonpath.segments import JSONPathRecursiveDescentSegment

    for node in nodes:
        if isinstance(node, Place):
            yield node
        elif isinstance(segment, JSONPathRecursiveDescentSegment):
            yield from segment.resolve((node,))
        else:
            for selector in segment.selectors:
                yield from _selected(node, selector)


def _selected(node: "JSONPathMatch", selector: Any) -> "Iterator[JSONPathMatch | Place]":
    from jsonpath.selectors import Filter, IndexSelector, NameSelector, SliceSelector

    if isinstance(selector, NameSelector | IndexSelector):
        got = next(iter(selector.resolve(node)), None)
        yield got if got is not None else Place(node.path, MISSING, node.parts)
    elif isinstance(selector, Filter) and isinstance(node.obj, list | dict):
        compared = _compared.now = _Compared()
        found = list(selector.resolve(node))
        yield from found if found or not compared.in_vain else [Place(node.path, MISSING, node.parts)]
    elif isinstance(node.obj, list) or (isinstance(node.obj, dict) and not isinstance(selector, SliceSelector)):
        yield from selector.resolve(node)
    else:
        yield Place(node.path, MISSING, node.parts)


def _plain(segment: Any) -> bool:
    from jsonpath.segments import JSONPathRecursiveDescentSegment
    from jsonpath.selectors import IndexSelector, NameSelector

    return (
        not isinstance(segment, JSONPathRecursiveDescentSegment)
        and len(segment.selectors) == 1
        and isinstance(segment.selectors[0], NameSelector | IndexSelector)
    )


@lru_cache(maxsize=512)
def path_of(text: str) -> Path:
    """Return the path that a text spells; raise PathError. Loads the library with the first one (60 ms)."""
    from jsonpath import JSONPath
    from jsonpath.exceptions import JSONPathError

    if len(text) > _MOST_PATH:
        raise PathError(f"a path has {_MOST_PATH} characters at most")
    if not text.startswith("$"):
        raise PathError(f"a path begins with $, such as {_LIKE}")
    try:
        compiled = _environment().compile(text)
    except (JSONPathError, RecursionError, ValueError) as error:
        raise PathError(
            f"{text} is no path: {_words(error)}; write it like '$.status' or '$.checks[*].ok'"
        ) from None
    if not isinstance(compiled, JSONPath):
        raise PathError(f"{text} is no single path")
    return Path(text, compiled)


def path_problem(text: str) -> str | None:
    """Return why a text is no path, None where it is one."""
    try:
        path_of(text)
    except PathError as error:
        return str(error)
    return None


class _Compared:
    """What a filter has compared so far."""

    def __init__(self) -> None:
        self.something = False
        """In a comparison both sides were there."""
        self.nothing = False
        """In a comparison one side was not there."""
        self.asked = False
        """It asks whether something is there, which it may not be then: `?@.state && @.state == 'down'`."""

    @property
    def in_vain(self) -> bool:
        """Whether what it compares was nowhere."""
        return self.nothing and not self.something and not self.asked


class _OfThread(threading.local):
    """The filter that is applied in this thread."""

    def __init__(self) -> None:
        self.now = _Compared()


_compared = _OfThread()


@cache
def _environment() -> "JSONPathEnvironment":
    from jsonpath import JSONPathEnvironment
    from jsonpath.filter import UNDEFINED
    from jsonpath.match import NodeList

    def is_nothing(value: object) -> bool:
        return value is UNDEFINED or (isinstance(value, NodeList) and not value)

    class Exact(JSONPathEnvironment):
        """Compares the decimals of a document with those that a filter writes, which the library makes floats.

        It notes whether there was anything to compare.
        """

        def compare(self, left: object, operator: str, right: object) -> bool:
            compared = _compared.now
            if operator in _LOGICAL:
                compared.asked |= isinstance(left, NodeList) or isinstance(right, NodeList)
            elif is_nothing(left) or is_nothing(right):
                compared.nothing = True
            else:
                compared.something = True
            return super().compare(_exact(left), operator, _exact(right))

    return Exact(strict=True)


def _exact(value: object) -> object:
    return Decimal(str(value)) if isinstance(value, float) else value


def _words(error: BaseException) -> str:
    """Return what a library says, on one line and without the place that some add."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, DecimalException):
        return "it compares with a number that is none"
    said = str(error.args[0]) if error.args else type(error).__name__
    return " ".join(said.split())[:200]
