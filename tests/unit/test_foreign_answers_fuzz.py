"""Foreign answers that no other test takes apart: whatever stands there is a value or a cause, no traceback."""

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opsconsole.checks import _archives_pg, _groups, _mounts, _tls, load, memory
from opsconsole.checks._archives import UntestableError, Wishes
from opsconsole.checks._pgvalues import value_of
from opsconsole.checks._process import Finished
from opsconsole.checks._tcpsockets import parsed_socket
from opsconsole.contracts.probe import Environment, ProbeError, ProbeKind
from opsconsole.model.checklists import MOST_TARGETS, ForEach
from opsconsole.model.listing import LONGEST_TARGET, named_targets
from opsconsole.model.readings import Problem, Reading
from opsconsole.model.values import Moment, Number
from support.certificates import issued
from support.systemd import context

BRIEF = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
_DIGITS = st.text(alphabet="0123456789.+-eENnaif: ", max_size=30)
_LONG = st.sampled_from(
    ("9" * 5000, "1e999999999", "1e99999999999999999999", "-Infinity", "NaN", "sNaN", "٣", "1_0")
)
_HOSTILE = st.one_of(st.text(max_size=40), _DIGITS, _LONG)


@BRIEF
@given(
    text=st.one_of(_HOSTILE.map(lambda each: each.encode("utf-8", "surrogatepass")), st.binary(max_size=40)),
    kind=st.sampled_from((16, 20, 21, 23, 26, 700, 701, 1700, 1184, 1114, 1186, 25, 0)),
)
def test_any_cell_of_postgresql(text: bytes, kind: int) -> None:
    """Whatever a server sends in a column of any type is a value."""
    assert isinstance(value_of(text, kind), Number | Moment | str | bool)


def test_any_listing_of_pg_restore(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a program in place of pg_restore lists, a table that is not named in it is missing."""
    lines = st.lists(
        st.one_of(st.binary(max_size=40), st.just(b"7; 0 16 TABLE DATA public other me"), st.just(b"; Archive")),
        max_size=6,
    )
    said: list[Finished] = []

    async def run(_argv: list[str], _name: str, _allowed: float) -> Finished:
        return said[0]

    monkeypatch.setattr(_archives_pg, "_run", run)

    @BRIEF
    @given(lines=lines, code=st.sampled_from((0, 0, 1, 127, -9)), cut=st.booleans())
    def told(lines: list[bytes], code: int, cut: bool) -> None:
        said[:] = [Finished(code, b"\n".join(lines), b"\n".join(lines), cut, 0.1)]
        wishes = Wishes(("public.orders",))
        with contextlib.suppress(UntestableError):
            found = asyncio.run(_archives_pg.examined_pg_dump("x", "/b", "b", wishes, 1.0))
            assert found.damage or found.missing == ("public.orders",)

    told()


@pytest.fixture(scope="module")
def certificate() -> bytes:
    """A good certificate in DER."""
    from cryptography.hazmat.primitives.serialization import Encoding

    return issued("app.example").certificate.public_bytes(Encoding.DER)


@BRIEF
@given(
    at=st.integers(0, 2000),
    patch=st.binary(max_size=6),
    cut=st.one_of(st.none(), st.integers(0, 2000)),
    whole=st.one_of(st.none(), st.binary(max_size=60)),
)
def test_any_certificate(certificate: bytes, at: int, patch: bytes, cut: int | None, whole: bytes | None) -> None:
    """A certificate with anything in it is read, or refused by the error that becomes a cause."""
    at %= len(certificate)
    damaged = (certificate[:at] + patch + certificate[at + len(patch) :])[:cut] if whole is None else whole
    with contextlib.suppress(ValueError):
        found = _tls._read(damaged)
        assert found.line(context().now)


@BRIEF
@given(
    st.lists(st.one_of(st.binary(max_size=60), st.just(b"1 2 8:1 / /a\\999b rw - ext4 /dev/a rw"))).map(b"\n".join)
)
def test_any_mountinfo(text: bytes) -> None:
    """Lines of mountinfo that are none are left out."""
    for each in _mounts.with_room(_mounts.parsed_mounts(text), frozenset({"ext4"})):
        assert each.shown.encode()


@BRIEF
@given(st.one_of(st.text(max_size=60), st.lists(st.one_of(st.just("0A"), _HOSTILE), max_size=6).map(" ".join)))
def test_any_line_of_sockets(line: str) -> None:
    """A line of /proc/net/tcp is a socket or a cause."""
    with contextlib.suppress(ProbeError):
        parsed_socket(line)


_FIELDS = ("MemTotal", "MemAvailable", "SwapTotal", "SwapFree", "Cached")


@contextlib.contextmanager
def _in_place_of(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, text: str, path: Path) -> Iterator[None]:
    path.write_text(text, encoding="utf-8", errors="replace")
    with monkeypatch.context() as patched:
        patched.setattr(owner, name, path)
        yield


def _measured(kind: ProbeKind) -> None:
    with contextlib.suppress(ProbeError):
        asyncio.run(kind.open(Environment()).measure(kind.options(), context()))


@BRIEF
@given(st.lists(st.tuples(st.sampled_from(_FIELDS), st.one_of(_DIGITS, _LONG, st.just("4096"))), max_size=8))
def test_any_meminfo(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fields: list[tuple[str, str]]) -> None:
    """Whatever the kernel says of memory is read, or refused."""
    every = [*((name, "4096") for name in _FIELDS), *fields]
    text = "".join(f"{name}:   {said} kB\n" for name, said in every)
    with _in_place_of(monkeypatch, memory, "MEMINFO", text, tmp_path / "meminfo"):
        _measured(memory.KIND)


@BRIEF
@given(st.lists(st.one_of(_HOSTILE, st.just("0.5"), st.just("9" * 400 + ".0"), st.just("1/2")), max_size=6))
def test_any_loadavg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fields: list[str]) -> None:
    """Whatever the kernel says of its load is read, or refused."""
    with (
        _in_place_of(monkeypatch, load, "LOADAVG", " ".join([*fields, "1/2", "3"]), tmp_path / "loadavg"),
        _in_place_of(monkeypatch, load, "UPTIME", " ".join([*fields[:1], "1.0", "2.0"]), tmp_path / "uptime"),
        _in_place_of(monkeypatch, _groups, "OWN_CGROUP", "0::/\n", tmp_path / "cgroup"),
    ):
        _measured(load.KIND)


_CELLS = st.one_of(st.none(), st.booleans(), st.text(max_size=12), st.just("a"), st.just("x" * 201), st.just("-rf"))


@BRIEF
@given(
    rows=st.lists(st.tuples(_CELLS, _CELLS), max_size=8),
    column=st.sampled_from(("", "a", "b", "c")),
    label=st.sampled_from(("", "a", "c")),
    truncated=st.booleans(),
)
def test_any_rows_as_targets(rows: list[tuple[Any, Any]], column: str, label: str, truncated: bool) -> None:
    """Rows of any table name all their targets, each a name that can stand anywhere, or none and why."""
    reading = Reading(columns=("a", "b"), rows=tuple(rows), label=label, truncated=truncated)
    found = named_targets(ForEach(item="list", column=column), reading, "List")
    if isinstance(found, Problem):
        assert found.cause
        return
    assert not truncated
    assert len(found) == len(rows) == len(set(found)) <= MOST_TARGETS
    for each in found:
        assert each.isprintable()
        assert 0 < len(each.strip()) <= LONGEST_TARGET
        assert not each.startswith("-")
