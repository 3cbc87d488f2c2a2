"""Hostile and broken sources, all kinds of them: a cause in time, memory within its bound, and nothing left."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.hostile_cases import CASES
from support.hostile_servers import body
from support.hostile_stage import Case, Stage
from support.hostile_tasks import Measurer, Task, Told, measuring

A_LITTLE = 2.0
"""Seconds beyond an item's timeout, on a machine that does much else."""


@pytest.fixture(scope="module")
def measurer() -> Iterator[Measurer]:
    """The process that measures."""
    with measuring() as running:
        yield running


def _written(case: Case, values: dict[str, str], directory: Path) -> Task:
    item = case.item
    for name, value in values.items():
        item = item.replace(f"@{name}@", value)
    checklist = directory / "hostile.toml"
    checklist.write_text(
        'title = "Hostile"\n[[section]]\ntitle = "One"\n[[section.item]]\nid = "it"\ntitle = "It"\n'
        f'probe = "{case.kind}"\ntimeout = "{case.timeout:g} s"\n{item}\n',
        encoding="utf-8",
    )
    config = directory / "config.toml"
    port = values.get("PORT", "1")
    config.write_text(
        f'[sources.pg]\nkind = "postgresql"\ndsn = "host=127.0.0.1 port={port} user=ops dbname=x sslmode=disable"\n'
        f'[sources.my]\nkind = "mysql"\ndsn = "mysql://ops@127.0.0.1:{port}/x"\n',
        encoding="utf-8",
    )
    programs = directory / "programs"
    return Task(
        checklist=str(checklist),
        config=str(config),
        directory=str(directory),
        programs=str(programs) if programs.is_dir() else "",
    )


def _told(case: Case, directory: Path, measurer: Measurer) -> Told:
    with ExitStack() as stack:
        values = case.arrange(Stage(directory, stack))
        return measurer.measured(_written(case, values, directory))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_ends_in_time_with_a_cause_and_leaves_nothing(case: Case, tmp_path: Path, measurer: Measurer) -> None:
    """Whatever a source does: no green, no hang, no flood of memory, no process and no file left open."""
    told = _told(case, tmp_path, measurer)
    assert told.traceback == ""
    (found,) = told.found
    assert not found.green, found
    came_to = found.reason or ("not judged" if found.outcome == "ERROR" else "red")
    assert came_to in case.reasons, found
    assert found.cause
    assert told.seconds < case.timeout + A_LITTLE, found
    assert told.grown_kib < case.grows << 10, (told, found)
    assert (told.processes_left, told.descriptors_left) == (0, 0), found


def test_a_good_source_is_green_there(tmp_path: Path, measurer: Measurer) -> None:
    """The same item passes where its source is good: what makes the others red is what their sources do."""
    item = 'url = "http://127.0.0.1:@PORT@"\njson = { state = "$.state" }\nrequire = ["state == \'up\'"]'
    talk = body(b'{"state": "up"}')
    case = Case("http", "answers as it should", (), item, lambda stage: {"PORT": str(stage.served(talk))})
    told = _told(case, tmp_path, measurer)
    assert [found.outcome for found in told.found] == ["PASS"], told
    assert (told.processes_left, told.descriptors_left) == (0, 0)


def test_what_is_taken_is_seen(tmp_path: Path, measurer: Measurer) -> None:
    """Memory that a source makes us take shows: four megabytes of JSON do not pass for nothing."""
    case = next(each for each in CASES if each.name == "http: JSON of a million empty objects")
    assert _told(case, tmp_path, measurer).grown_kib > 32 << 10
