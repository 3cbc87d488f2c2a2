"""Checklists and configurations with every option of every probe: refused with reasons, or run to an outcome."""

import asyncio
import datetime as dt
import random
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opsconsole.config.checklists import load_checklist
from opsconsole.config.configfile import read_settings
from opsconsole.config.diagnostics import Diagnostic
from opsconsole.config.formats import ITEM_KEYS
from opsconsole.contracts.probe import Environment, Source
from opsconsole.engine.engine import Engine
from opsconsole.engine.identity import current_actor
from opsconsole.model.checklists import Checklist
from opsconsole.model.events import Via
from opsconsole.model.outcomes import Outcome
from opsconsole.store.sqlite import SqliteStore
from opsconsole.wiring.configuration import SOURCE_KINDS
from opsconsole.wiring.kinds import BUILT_IN, probe_kinds
from support.damaged import MUTATIONS, check

SHIPPED = sorted((Path(__file__).parents[2] / "checklists").glob("*.toml"))
NOWHERE = "http://127.0.0.1:1"
LITERAL = "hunter2-not-real"
"""What stands where a reference should: no message may repeat it."""

DOWN = {
    "pg": Source(kind="postgresql", dsn="host=127.0.0.1 port=1 dbname=x user=y"),
    "my": Source(kind="mysql", dsn="mysql://y@127.0.0.1:1/x"),
    "web": Source(kind="http", url=NOWHERE),
}
REMOTE = frozenset({"container", "http", "loki", "mysql", "postgres", "prometheus", "sql"})
"""Kinds that can say nothing at all while their sources are down."""

GOOD: dict[str, dict[str, Any]] = {
    "backup": {"path": "/nonexistent", "require": ["count > 0"]},
    "clock": {"server": "127.0.0.1", "port": 1, "require": ["offset < 1 s"]},
    "command": {"argv": ["/nonexistent/program"], "require": ["exit_code == 0"]},
    "compare": {
        "left": {"item": "other", "value": "load1"},
        "right": {"item": "other", "value": "load5"},
        "require": ["difference < 100000"],
    },
    "container": {"url": NOWHERE, "require": ["stopped == 0"]},
    "cpu": {"window": "0.1 s", "require": ["used < 101%"]},
    "disk": {"path": "/nonexistent", "require": ["used < 80%"]},
    "diskio": {"require": ["count > 0"]},
    "dns": {"name": "www.example", "server": "127.0.0.1", "port": 1, "require": ["count > 0"]},
    "file": {"path": "/nonexistent", "require": ["exists == true"]},
    "history": {"item": "other", "require": ["failed == 0"]},
    "http": {"url": NOWHERE, "json": {"state": "$.state"}, "require": ["state == 'up'"]},
    "journal": {"directory": "/nonexistent", "unit": "app", "require": ["count == 0"]},
    "load": {"require": ["load1 < 100000"]},
    "logfile": {"path": "/nonexistent.log", "patterns": {"x": "ERROR"}, "require": ["x == 0"]},
    "loki": {"url": NOWHERE, "selector": '{app="x"}', "require": ["count == 0"]},
    "memory": {"require": ["total > 0 B"]},
    "mysql": {"source": "my", "query": "select 1 as it", "require": ["it == 1"]},
    "network": {"of": "listening", "ports": [1], "require": ["every listening == true"]},
    "postgres": {"source": "pg", "about": "connections", "require": ["share < 80%"]},
    "process": {"name": "nonexistent", "window": "0.1 s", "require": ["count > 0"]},
    "prometheus": {"url": NOWHERE, "query": "up", "require": ["value == 1"]},
    "ratio": {
        "numerator": {"item": "other", "value": "load1"},
        "denominator": {"item": "other", "value": "cpus"},
        "require": ["value < 100000%"],
    },
    "sql": {"source": "pg", "query": "select 1 as it", "require": ["it == 1"]},
    "tcp": {"host": "127.0.0.1", "port": 1, "within": "0.05 s", "require": ["open == true"]},
    "timer": {"unit": "nonexistent", "require": ["active == 'active'"]},
    "unit": {"unit": "nonexistent", "require": ["active == 'active'"]},
}  # fmt: skip

_TEXTS = (
    *("", "x", "*", "{target}", "{now}", ":now", "0", "-1", "5 s", "1e999999999 s", "9" * 400, "80%", "1 MiB"),
    *(
        "env:HOME",
        "file:/nonexistent",
        f"env:{LITERAL}!",
        "/nonexistent",
        "~/x",
        "a\nb",
        "\x1b[2J",
        "\u202e",
        "[/]",
    ),
    *(
        "/(a+)+$/",
        "/([0-9]+)/",
        "/[/",
        "$.a",
        "$..[?@.b",
        "$" + ".a" * 500,
        "err",
        "modified",
        "Europe/Berlin",
        "Mars/X",
    ),
    *(
        "count == 0",
        "every x == 'y'",
        "value < baseline * 1e99",
        "((((",
        "x matches /(/",
        "select 1; drop table x",
        "'",
    ),
)
_SCALARS = st.one_of(
    st.sampled_from(_TEXTS),
    st.text(max_size=8).filter(lambda text: max(text, default="a") < "\ud800"),
    st.sampled_from((0, 1, -1, 7, 65536, 2**53, 2**63 - 1, 0.5, -1e308, float("inf"), float("nan"), True, False)),
    st.sampled_from((dt.date(2026, 11, 21), dt.time(8), dt.datetime(2026, 11, 21, 8, tzinfo=dt.UTC))),
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(("a", "x", "item", "value", "name", "", "a.b", "é")), inner, max_size=3),
    ),
    max_leaves=6,
)
_HARMLESS = frozenset(
    {"argv", "path", "directory", "pg_restore", "cwd", "server", "host", "url", "source", "pidfile"}
)
"""Options that say what is run, read or asked: those of the good items are kept where an item is measured."""


def _keys(kind: str) -> list[str]:
    options = [field.encode_name for field in msgspec.structs.fields(probe_kinds()[kind].options)]
    return [*options, *ITEM_KEYS, "wrong_key"]


@st.composite
def items(draw: st.DrawFn, *, measured: bool = False) -> dict[str, Any]:
    """A good item with some of its keys replaced, added and left out."""
    kind = draw(st.sampled_from(BUILT_IN))
    item: dict[str, Any] = {"id": "it", "title": "It", "probe": kind, **GOOD[kind]}
    keys = [
        key for key in _keys(kind) if not measured or key not in _HARMLESS | {"timeout", "retry", "id", "probe"}
    ]
    for key in draw(st.lists(st.sampled_from(keys), min_size=not measured, max_size=3)):
        item[key] = draw(_VALUES)
    for key in draw(st.lists(st.sampled_from(sorted(item)), max_size=1)) if not measured else ():
        del item[key]
    return item


def _text(item: dict[str, Any]) -> str:
    other = {"id": "other", "title": "Other", "probe": "load", "require": ["load1 < 100000"], "timeout": "1 s"}
    return tomli_w.dumps({"title": "Fuzz", "section": [{"title": "One", "item": [other, item]}]})


def _complete(told: tuple[Diagnostic, ...], path: Path, text: str) -> None:
    """Every message is harmless, and names the file and a line of it."""
    check(told, text)
    for each in told:
        assert str(path) in str(each)
        assert each.line > 0 or not (each.item or each.key), each  # what is missing altogether stands nowhere


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the files are written; one for all examples, which are loaded one after another."""
    return tmp_path_factory.mktemp("fuzz")


def test_every_kind_is_fuzzed() -> None:
    """A kind that is added is fuzzed, too, and its example is one that lint takes."""
    assert set(GOOD) == set(BUILT_IN)


@pytest.mark.parametrize("kind", BUILT_IN)
def test_the_examples_are_good(directory: Path, kind: str) -> None:
    """What the others start from is accepted, so that what they find is not all about the same key."""
    path = directory / "good.toml"
    path.write_text(_text({"id": "it", "title": "It", "probe": kind, **GOOD[kind]}), encoding="utf-8")
    assert load_checklist(path, probe_kinds(), sources=set(DOWN), check_trust=False).problems == ()


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(item=items())
def test_any_options_are_taken_or_refused(directory: Path, item: dict[str, Any]) -> None:
    """Right keys with wrong types, wrong keys, hostile values: loaded, or refused with reasons, and in time."""
    path, text = directory / "item.toml", _text(item)
    path.write_text(text, encoding="utf-8")
    began = time.monotonic()
    loaded = load_checklist(path, probe_kinds(), sources=set(DOWN), check_trust=False)
    assert time.monotonic() - began < 2
    _complete((*loaded.problems, *loaded.warnings), path, text)
    assert (loaded.checklist is None) == bool(loaded.problems)


@settings(max_examples=70, deadline=None, suppress_health_check=list(HealthCheck))
@given(which=st.sampled_from(SHIPPED), seed=st.integers(0, 2**32), times=st.integers(1, 3))
def test_a_damaged_shipped_checklist(directory: Path, which: Path, seed: int, times: int) -> None:
    """The checklists of the five systems with accidents in them never raise."""
    pick, text = random.Random(seed), which.read_text(encoding="utf-8")
    for _ in range(times):
        text = pick.choice(MUTATIONS)(text, pick)
    path = directory / which.name
    path.write_text(text, encoding="utf-8")
    loaded = load_checklist(path, probe_kinds(), check_trust=False)
    _complete((*loaded.problems, *loaded.warnings), path, text)
    assert (loaded.checklist is None) == bool(loaded.problems)


_SOURCE_VALUES = st.one_of(
    st.sampled_from(
        (LITERAL, f"env:{LITERAL}!", f"file:{LITERAL}", "env:HOME", "file:/nonexistent", f"x:{LITERAL}")
    ),
    st.sampled_from((NOWHERE, f"http://u:{LITERAL}@h", "unix:/x", "http://[", "mysql://y@h/x", "host=h user=y")),
    st.sampled_from((f"mysql://y:{LITERAL}@h/x", f"host=h password={LITERAL}", f"postgresql://y:{LITERAL}@h/x")),
    _VALUES,
)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    kind=st.one_of(st.sampled_from(sorted(SOURCE_KINDS)), _VALUES),
    given_=st.dictionaries(
        st.sampled_from(
            [field.encode_name for field in msgspec.structs.fields(Source) if field.name != "kind"] + ["x"]
        ),
        _SOURCE_VALUES,
        max_size=4,
    ),
    name=st.sampled_from(("web", "", "Web", "a b", "\x1b[2J", "x" * 65, "é")),
)
def test_any_source_is_taken_or_refused(directory: Path, kind: Any, given_: dict[str, Any], name: str) -> None:
    """Sources of every kind with anything for a secret: no traceback, and no message that repeats one."""
    path = directory / "config.toml"
    text = tomli_w.dumps({"sources": {name: {"kind": kind, **given_}}})
    path.write_text(text, encoding="utf-8")
    found, _, report = read_settings(path, SOURCE_KINDS, check_trust=False)
    told = tuple(report.diagnostics())
    _complete(told, path, text)
    assert (found is None) == bool(told)
    assert not any(LITERAL in str(each) for each in told), told


@settings(max_examples=70, deadline=None, suppress_health_check=list(HealthCheck))
@given(item=items(measured=True))
def test_what_is_taken_can_be_measured(directory: Path, item: dict[str, Any]) -> None:
    """Every item that lint takes comes to an outcome, and none of a source that is down to a pass."""
    path, text = directory / "measured.toml", _text({**item, "timeout": "0.5 s"})
    path.write_text(text, encoding="utf-8")
    loaded = load_checklist(path, probe_kinds(), sources=set(DOWN), check_trust=False)
    if loaded.checklist is None:
        return
    began = time.monotonic()
    outcomes = asyncio.run(_measured(loaded.checklist))
    assert time.monotonic() - began < 8
    if item["probe"] in REMOTE:
        assert not outcomes & {Outcome.PASS, Outcome.WARN}, (item, outcomes)


async def _measured(checklist: Checklist) -> set[Outcome]:
    with tempfile.TemporaryDirectory() as state, closing(SqliteStore(Path(state) / "fuzz.db")) as store:
        engine = Engine(store, probe_kinds(), Environment(sources=DOWN), current_actor(Via.COMMAND), Path(state))
        session = await engine.open(checklist)
        try:
            await engine.measure(session)
            attempts = session.state.items["it"].latest.values() if "it" in session.state.items else ()
            for each in attempts:
                problem = each.body.problem
                assert problem is None or problem.reason != "bug", problem
            return {each.body.judgement.outcome for each in attempts}
        finally:
            await session.aclose()
