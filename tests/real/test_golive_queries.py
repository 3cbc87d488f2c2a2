"""The queries of the `golive` lists on a real Prometheus that scrapes a real node-exporter."""

from pathlib import Path

import msgspec
import pytest

from opsconsole.contracts.probe import Environment, Source
from opsconsole.model.checklists import Item, Section
from opsconsole.model.outcomes import Outcome
from support.golive import Watching, said
from support.prometheus import Prometheus
from support.qbr import item_of, shipped

pytestmark = pytest.mark.xdist_group("prometheus")

WATCH = shipped("golive-5min")


def test_the_queries_are_those_of_a_real_node_exporter(prometheus: Prometheus, tmp_path: Path) -> None:
    """Processors, memory and disks of a real host are found by the names that node-exporter gives them."""
    names = ("scraped", "hosts-cpu", "hosts-memory", "hosts-disk")
    checklist = msgspec.structs.replace(WATCH, sections=(Section("Hosts", tuple(_free(each) for each in names)),))
    environment = Environment(sources={"golive-metrics": Source(kind="http", url=prometheus.url)})
    state = Watching(tmp_path, checklist).measured(checklist, environment)
    assert said(state, "scraped").startswith("FAIL dead, 127.0.0.1:1: value is 0")
    for name in names[1:]:
        reading = state.items[name].attempts[-1].body.reading
        assert reading is not None, said(state, name)
        assert reading.rows
        assert state.items[name].outcome in {Outcome.PASS, Outcome.WARN, Outcome.FAIL}


def _free(name: str) -> Item:
    return msgspec.structs.replace(item_of(WATCH, name), requires=())
