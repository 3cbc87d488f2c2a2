"""Checklists whose items compute with each other: what is told before anything is measured."""

from pathlib import Path

import pytest

from opsconsole.config.checklists import LoadedChecklist, load_checklist
from opsconsole.contracts.probe import ProbeError
from opsconsole.engine.inputs import inputs_of, measured_together
from opsconsole.engine.measuring import decoded_options
from opsconsole.wiring.kinds import probe_kinds

HEAD = 'title = "Synchronisation"\n[[section]]\ntitle = "Counts"\n'
COUNTS = """
[[section.item]]
id = "questdb-counts"
title = "Records of each collection in QuestDB"
probe = "sql"
source = "questdb"
query = "select collection, count(*) as records from records where created < :cutoff group by collection"
require = ["count >= 1"]

[[section.item]]
id = "pocketbase-counts"
title = "Records of each collection in PocketBase"
probe = "sql"
source = "pocketbase"
query = "select collection, count(*) as records from records where created < :cutoff group by collection"
require = ["count >= 1"]

[[section.item]]
id = "look"
title = "Look at the dashboard"
manual = true
"""
AGREE = """
[[section.item]]
id = "counts-agree"
title = "Both stores hold the same records"
refs = ["D01"]
probe = "compare"
left = { item = "questdb-counts", key = "collection", column = "records" }
right = { item = "pocketbase-counts", key = "collection", column = "records" }
require = ["every share <= 1%", "missing_left == 0", "missing_right == 0", "same_cutoff == true"]
target = ["apart <= 1 min", "every difference <= 5"]
"""
RATE = """
[[section.item]]
id = "sync-rate"
title = "At least 99 % of the records were synchronised"
refs = ["D16"]
probe = "ratio"
numerator = { item = "pocketbase-counts", column = "records" }
denominator = { item = "questdb-counts", column = "records" }
minimum = 20
require = ["value >= 99%"]
on_too_few = "warn"
"""
EACH = """
[[section.item]]
id = "each"
title = "Every collection answers"
probe = "command"
argv = ["/usr/bin/check", "{target}"]
require = ["exit_code == 0"]
for_each = { item = "questdb-counts", column = "collection" }
"""


def loaded(directory: Path, text: str) -> LoadedChecklist:
    """Load a checklist of these items."""
    path = directory / "sync.toml"
    path.write_text(HEAD + COUNTS + text, encoding="utf-8")
    return load_checklist(path, probe_kinds(), sources={"questdb", "pocketbase"}, check_trust=False)


def test_a_good_one_arrives(tmp_path: Path) -> None:
    """What the file names is measured first, and all of it together."""
    found = loaded(tmp_path, AGREE + RATE + EACH)
    assert [str(each) for each in (*found.problems, *found.warnings)] == []
    assert found.checklist is not None
    kinds = probe_kinds()
    inputs = {item.id: inputs_of(item, kinds.get(item.probe)) for item in found.checklist.items}
    assert inputs["counts-agree"] == ("questdb-counts", "pocketbase-counts")
    assert inputs["sync-rate"] == ("pocketbase-counts", "questdb-counts")
    assert inputs["each"] == ("questdb-counts",)
    assert measured_together(["sync-rate"], inputs) == set(inputs) - {"look"}
    assert measured_together(["look"], inputs) == {"look"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            AGREE.replace('left = { item = "questdb-counts"', 'left = { item = "questdb-count"'),
            "there is no item",
        ),
        (AGREE.replace('left = { item = "questdb-counts"', 'left = { item = "look"'), "'look' is not measured"),
        (AGREE.replace('left = { item = "questdb-counts"', 'left = { item = "counts-agree"'), "requires itself"),
        (AGREE.replace("every share", "every shares"), "does not measure 'shares'"),
        (AGREE.replace("1%", "1"), "write 1% instead of 1"),
        (AGREE.replace("key =", "keys =", 1), "unknown key 'keys'"),
        (AGREE.replace(', key = "collection", column = "records" }\nright', " }\nright"), "this one needs `key`"),
        (RATE.replace("minimum = 20", "minimum = 0"), "1"),
        (RATE.replace('"warn"', '"never"'), "never"),
        (
            RATE.replace('{ item = "questdb-counts", column', '[{ item = "nobody", column').replace(
                '"records" }\nminimum', '"records" }]\nminimum'
            ),
            "there is no item 'nobody'",
        ),
        (EACH.replace('item = "questdb-counts"', 'item = "nothing"'), "there is no item 'nothing'"),
        (EACH.replace('item = "questdb-counts"', 'item = "each"'), "requires itself"),
        (EACH.replace('item = "questdb-counts"', 'item = "look"'), "'look' is not measured"),
        (EACH.replace("{target}", "all"), "nothing uses the targets"),
        (EACH.replace("column =", "columns ="), "unknown key 'columns'"),
        (EACH.replace('"/usr/bin/check", "{target}"', '"{target}"'), "may not be the program"),
        (EACH.replace('"/usr/bin/check", "{target}"', '"sh", "-c", "ping {target}"'), "text that a shell runs"),
        (EACH.replace('"/usr/bin/check", "{target}"', '"env", "bash", "-lc", "x {target}"'), "text that a shell"),
        (
            EACH + EACH.replace('id = "each"', 'id = "deeper"').replace('item = "questdb-counts"', 'item = "each"'),
            "'each' is itself measured for several targets",
        ),
    ],
)
def test_mistakes_are_told_when_the_list_is_loaded(tmp_path: Path, text: str, told: str) -> None:
    """Each mistake is told once, before a morning depends on it."""
    found = loaded(tmp_path, text)
    assert found.checklist is None
    assert len(found.problems) == 1, [str(each) for each in found.problems]
    assert told in str(found.problems[0])


def test_a_shell_gets_targets_as_arguments(tmp_path: Path) -> None:
    """The way that the message recommends is accepted."""
    argv = """["sh", "-c", "ping -c 1 \\"$1\\"", "sh", "{target}"]"""
    found = loaded(tmp_path, EACH.replace('["/usr/bin/check", "{target}"]', argv))
    assert [str(each) for each in found.problems] == []


OF_URLS = """
[[section.item]]
id = "each"
title = "Every service answers"
probe = "http"
url = "{target}"
require = ["status == 200"]
for_each = { item = "questdb-counts", column = "collection" }
"""


@pytest.mark.parametrize(
    "text",
    [
        OF_URLS,
        OF_URLS.replace('"{target}"', '"{target}/health"'),
        OF_URLS.replace('"http"', '"file"').replace("url =", "path =").replace("status == 200", "exists == true"),
    ],
)
def test_whole_addresses_and_paths_are_found_out(tmp_path: Path, text: str) -> None:
    """What a list of services holds is mostly URLs: whether one can be asked is told when it is known."""
    found = loaded(tmp_path, text)
    assert [str(each) for each in found.problems] == []
    assert found.checklist is not None
    item = found.checklist.items[-1]
    kind = probe_kinds()[item.probe]
    with pytest.raises(ProbeError, match=r"it is no URL|is no absolute path") as refused:
        decoded_options(kind, item, "ftp/payments")
    assert refused.value.problem.reason == "bad-options"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (OF_URLS.replace('"{target}"', '"ftp://{target}"'), "it is no URL"),
        (OF_URLS.replace("require", 'method = "HEAD"\njson = "$.a"\nrequire'), "no body"),
        (OF_URLS.replace("status ==", "state =="), "does not measure 'state'"),
    ],
)
def test_what_does_not_hang_on_the_target_is_told(tmp_path: Path, text: str, told: str) -> None:
    """Everything else of such an item is looked at as ever."""
    found = loaded(tmp_path, text)
    assert told in str(found.problems[0])


def test_a_comparison_of_each_target_needs_no_braces(tmp_path: Path) -> None:
    """An item that computes with others takes their readings of the same target by itself."""
    compared = AGREE.replace('key = "collection", ', "").replace("every share", "difference_share")
    compared = compared.replace(', "missing_left == 0", "missing_right == 0"', "").replace("every diff", "diff")
    found = loaded(tmp_path, compared + 'for_each = { item = "questdb-counts", column = "collection" }\n')
    assert [str(each) for each in found.problems] == []
