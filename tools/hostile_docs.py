"""Writes the tables of docs/hostile-input.md: what is tried, the bounds with their constants, and what is fuzzed.

python tools/hostile_docs.py
"""

import importlib
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from support.hostile_cases import CASES  # noqa: E402 - the path comes first
from support.hostile_stage import JSON, ROOM, Case  # noqa: E402 - the path comes first

PAGE = ROOT / "docs" / "hostile-input.md"


class Bound(NamedTuple):
    """One constant that bounds what a source can make of us."""

    source: str
    what: str
    module: str
    constant: str
    unit: str
    """`B`, or what is counted."""
    then: str
    """What comes of more."""


BOUNDS = (
    Bound(
        "HTTP: `http`, `container`, `loki`",
        "the body of an answer, unpacked",
        "checks._http",
        "MAX_BODY",
        "B",
        "`too-large`",
    ),
    Bound("HTTP: `prometheus`", "the same", "checks.prometheus", "_MAX_ANSWER", "B", "`too-large`"),
    Bound("HTTP", "one header", "checks._httpclient", "_MAX_HEADER", "B", "`bad-answer`"),
    Bound("HTTP", "redirects that are followed", "checks._http", "_MOST_REDIRECTS", "redirects", "`bad-answer`"),
    Bound("JSON", "places that a path selects", "checks._jsonpath", "MOST_NODES", "places", "`bad-answer`"),
    Bound("JSON", "rows of a table", "checks._jsonreading", "MAX_ROWS", "rows", "cut off: not judged"),
    Bound("JSON", "one cell", "checks._jsonreading", "MAX_CELL", "characters", "cut off: not judged"),
    Bound("JSON", "digits of a number", "checks._jsonreading", "_MOST_DIGITS", "digits", "missing: not judged"),
    Bound("JSON", "exponent of a number", "checks._jsonreading", "_LARGEST_EXPONENT", "", "missing: not judged"),
    Bound("Prometheus, Loki", "digits of a number", "checks._promapi", "_MOST_DIGITS", "digits", "`bad-answer`"),
    Bound("PostgreSQL", "one row, or another message", "checks._pganswers", "MAX_MESSAGE", "B", "`too-large`"),
    Bound(
        "PostgreSQL",
        "what comes before a connection is ready",
        "checks._pgguard",
        "MAX_GREETING",
        "B",
        "`source-down`",
    ),
    Bound("PostgreSQL", "all cells of an answer", "checks._pglink", "MAX_BYTES", "B", "cut off: not judged"),
    Bound("MySQL", "one row, or another message", "checks._mysqlwire", "MAX_PACKET", "B", "`too-large`"),
    Bound("MySQL", "messages of an answer", "checks._mysqlwire", "MAX_MESSAGES", "messages", "`too-large`"),
    Bound(
        "MySQL", "what the server says of itself and the account", "checks._mysql", "_OWN_BYTES", "B", "`too-large`"
    ),
    Bound("MySQL", "all cells of an answer", "checks.mysql", "MAX_BYTES", "B", "cut off: not judged"),
    Bound(
        "programs: `command`",
        "standard output, and standard error",
        "checks.command",
        "LIMIT_BYTES",
        "B",
        "text not judged; JSON `too-large`",
    ),
    Bound("programs: `systemctl`", "each of both", "checks._process", "DEFAULT_LIMIT_BYTES", "B", "`bad-answer`"),
    Bound(
        "programs: `journalctl`",
        "entries that are shown",
        "checks._journal",
        "_SAMPLE_BYTES",
        "B",
        "cut off: not judged",
    ),
    Bound(
        "programs: `journalctl`",
        "entries that are counted",
        "checks._journal",
        "COUNT_LIMIT",
        "entries",
        "missing: not judged",
    ),
    Bound(
        "programs: `chronyc` and others", "each output", "checks._timedaemons", "_LIMIT_BYTES", "B", "`bad-answer`"
    ),
    Bound(
        "programs: `pg_restore`", "the table of contents", "checks._archives_pg", "LIST_BYTES", "B", "`too-large`"
    ),
    Bound("Nagios plugins", "values", "checks._nagios", "MOST", "values", "cut off: not judged"),
    Bound(
        "patterns in what others said",
        "steps in this process",
        "model.patterns",
        "MOST_STEPS",
        "steps",
        "another process, ended in time",
    ),
    Bound("`matches` in conditions", "steps", "model.patterns", "MOST_STEPS", "steps", "ERROR: not judged"),
    Bound("logs", "memory of the worker that reads them", "checks._logscan", "MEMORY", "B", "`too-large`"),
    Bound(
        "logs", "one entry", "checks._logentries", "LONGEST", "B", "the rest passed over; counts are lower bounds"
    ),
    Bound("logs", "messages told apart", "checks._logtally", "MOST_MESSAGES", "messages", "missing: not judged"),
    Bound("logs", "rotated files of one log", "checks._logfiles", "MOST_FILES", "files", "`too-large`"),
    Bound(
        "files",
        "entries of directories",
        "checks._files_walk",
        "MOST_ENTRIES",
        "entries",
        "counts are lower bounds",
    ),
    Bound(
        "files: secrets",
        "one line",
        "checks._secretscan",
        "LONGEST_LINE",
        "characters",
        "scanned in pieces that overlap",
    ),
    Bound("backups", "a list of names", "checks._archives_kept", "LARGEST_MANIFEST", "B", "`too-large`"),
    Bound("backups", "a file of checksums", "checks._archives_sums", "LARGEST", "B", "`too-large`"),
    Bound("backups", "members of an archive", "checks._archives", "MOST_MEMBERS", "members", "`too-large`"),
    Bound("backups: tar", "one header", "checks._archives_tar", "LARGEST_HEADER", "B", "`too-large`"),
    Bound("backups: zip", "the directory", "checks._archives_zip", "LARGEST_DIRECTORY", "B", "`too-large`"),
    Bound("backups: xz", "the dictionary", "checks._archives_streams", "XZ_MEMORY", "B", "`too-large`"),
    Bound("backups: zstd", "the window", "checks._archives_streams", "ZSTD_WINDOW", "B", "`too-large`"),
    Bound("`dns`", "one answer", "checks._dnsquery", "_MOST_BYTES", "B", "`bad-answer`"),
    Bound(
        "`dns`", "packets that answer something else", "checks._dnsquery", "_MOST_STRAYS", "packets", "`bad-answer`"
    ),
    Bound("`clock`", "one packet of NTP", "checks._sntp", "_MOST_BYTES", "B", "`bad-answer`"),
    Bound(
        "`clock`", "packets that answer something else", "checks._sntp", "_MOST_STRAYS", "packets", "`bad-answer`"
    ),
    Bound("`tcp`", "what a server says", "checks.tcp", "_MOST_BYTES", "B", "no more is read"),
    Bound("`process`", "a pid file", "checks.process", "_PIDFILE_BYTES", "B", "`bad-answer`"),
    Bound("`network`", "sockets", "checks._tcpsockets", "MOST_SOCKETS", "sockets", "counts are lower bounds"),
    Bound(
        "`for_each`",
        "targets that another item names",
        "model.checklists",
        "MOST_TARGETS",
        "targets",
        "`bad-answer`",
    ),
    Bound(
        "any reading",
        "one text of it, or of its evidence",
        "model.readings",
        "MAX_TEXT",
        "characters",
        "cut off: not judged",
    ),
    Bound("secrets", "a file that keeps one", "config.references", "_MOST", "B", "`no-secret`"),
    Bound("checklists, configurations", "a file", "config.textfiles", "MAX_BYTES", "B", "a problem of lint"),
    Bound(
        "checklists, configurations", "a line", "config.textfiles", "MAX_LINE", "characters", "a problem of lint"
    ),
    Bound(
        "checklists, configurations",
        "parts of a key",
        "config.tomlfiles",
        "MAX_KEY_PARTS",
        "parts",
        "a problem of lint",
    ),
    Bound(
        "checklists, configurations",
        "problems that are told",
        "config.diagnostics",
        "MOST",
        "problems",
        "said to be more",
    ),
)

FUZZED = {
    "JSON paths": "unit/test_jsonpath.py::test_any_document_can_be_searched",
    "JSON values, timestamps, HTTP dates": "unit/test_json_reading.py::test_any_document_ends_in_values",
    "HTTP answers": "real/test_http_faults.py::test_any_answer_ends_in_a_value_or_a_cause",
    "certificates": "unit/test_foreign_answers_fuzz.py::test_any_certificate",
    "Prometheus and Loki": "unit/test_prometheus_answers.py::test_any_bytes",
    "PromQL, LogQL": "unit/test_promql.py::test_any_text_is_read_to_its_end",
    "Docker": "unit/test_container_answers.py::test_no_answer_breaks_the_reading_of_a_container",
    "PostgreSQL: cells": "unit/test_foreign_answers_fuzz.py::test_any_cell_of_postgresql",
    "PostgreSQL: figures": "unit/test_postgres_figures.py::test_any_answer_is_a_reading_or_a_cause",
    "MySQL: cells": "unit/test_mysql_statements.py::test_any_cell_becomes_a_value",
    "connection strings": "unit/test_conninfo.py::test_no_password_gets_through",
    "journal entries": "real/test_journal_entries.py::test_no_entry_is_a_crash",
    "`systemctl`": "unit/test_systemd_answers.py::test_properties_of_a_unit",
    "timestamps of timers": "real/test_systemd_timer.py::test_timestamps",
    "Nagios output and performance data": "unit/test_nagios_output.py::test_nothing_breaks_it",
    "log entries": "real/test_logfile_hostile.py::test_any_bytes_are_an_answer_or_a_problem",
    "times in logs": "unit/test_log_times.py::test_hostile_lines_never_break_it",
    "messages of logs": "unit/test_log_messages.py::test_any_text_is_normalised",
    "archives": "unit/test_archives.py::test_anything_may_be_in_a_file",
    "checksums": "unit/test_checksums.py::test_anything_may_be_a_line",
    "lists of names": "real/test_backup_probe.py::test_anything_may_be_in_a_manifest",
    "listings of `pg_restore`": "unit/test_foreign_answers_fuzz.py::test_any_listing_of_pg_restore",
    "dates in names": "real/test_backup_probe.py::test_any_name_may_be_there",
    "DNS": "real/test_dns_probe.py::test_any_packet_is_read_or_refused",
    "NTP": "real/test_clock_probe.py::test_any_packet_is_read_or_refused",
    "`chronyc`, `timedatectl`, `ntpq`": "real/test_clock_probe.py::test_any_text_is_read_or_refused",
    "/proc/diskstats": "real/test_diskio_probe.py::test_any_text_is_read_or_refused",
    "/proc/stat": "real/test_cpu_probe.py::test_any_text_is_read_or_refused",
    "/proc/meminfo": "unit/test_foreign_answers_fuzz.py::test_any_meminfo",
    "/proc/loadavg": "unit/test_foreign_answers_fuzz.py::test_any_loadavg",
    "/proc/net/dev": "real/test_network_probe.py::test_any_line_is_read_or_refused",
    "/proc/net/tcp": "unit/test_foreign_answers_fuzz.py::test_any_line_of_sockets",
    "mountinfo": "unit/test_foreign_answers_fuzz.py::test_any_mountinfo",
    "rows as targets (`for_each`)": "unit/test_foreign_answers_fuzz.py::test_any_rows_as_targets",
    "patterns": "unit/test_searching.py::test_it_finds_what_python_finds",
    "TOML: every option of every probe": "unit/test_config_probes_fuzz.py::test_any_options_are_taken_or_refused",
    "TOML: what lint takes, measured": "unit/test_config_probes_fuzz.py::test_what_is_taken_can_be_measured",
    "TOML: sources and references": "unit/test_config_probes_fuzz.py::test_any_source_is_taken_or_refused",
    "TOML: shipped checklists, damaged": "unit/test_config_probes_fuzz.py::test_a_damaged_shipped_checklist",
    "TOML: bytes": "unit/test_config_fuzz.py::test_bytes_never_raise",
    "references to secrets": "unit/test_references.py::test_any_text",
}


def page(text: str) -> str:
    """Return the page with its tables as the code has them."""
    for name, table in (("cases", cases()), ("bounds", bounds()), ("fuzzed", fuzzed()), ("room", room())):
        begin, end = f"<!-- {name} -->", "<!-- end -->"
        place = re.compile(f"{begin}.*?{end}", re.DOTALL)
        found = place.search(text)
        assert found, name
        text = f"{text[: found.start()]}{begin}\n{table}\n{end}{text[found.end() :]}"
    return text


def cases() -> str:
    """Return what is tried, a line for each; what several kinds meet alike is one line."""
    told: dict[tuple[str, ...], list[str]] = {}
    for case in CASES:
        told.setdefault(_row(case), []).append(f"`{case.kind}`")
    rows = [(", ".join(dict.fromkeys(kinds)), *row) for row, kinds in told.items()]
    return _table(("probe", "the source", "comes to", "within", "memory"), rows)


def _row(case: Case) -> tuple[str, ...]:
    words = {"red": "FAIL, or not judged", "not judged": "ERROR: not judged"}
    reasons = " or ".join(words.get(each, f"ERROR `{each}`") for each in case.reasons)
    return case.does.replace("|", "\\|"), reasons, f"{case.timeout:g} s", f"{case.grows} MiB"


def bounds() -> str:
    """Return every bound with its constant."""
    rows = [
        (each.source, each.what, _figure(each), f"`{each.module}.{each.constant}`", each.then) for each in BOUNDS
    ]
    return _table(("of", "what", "at most", "where", "more is"), rows)


def _figure(bound: Bound) -> str:
    value = getattr(importlib.import_module(f"opsconsole.{bound.module}"), bound.constant)
    if bound.unit != "B":
        return f"{value:,} {bound.unit}".strip()
    for size, name in ((1 << 20, "MiB"), (1 << 10, "KiB")):
        if value % size == 0:
            return f"{value // size:,} {name}"
    return f"{value:,} B"


def fuzzed() -> str:
    """Return which test takes each parser of foreign answers apart."""
    return _table(("what is read", "test"), [(what, f"`tests/{test}`") for what, test in FUZZED.items()])


def room() -> str:
    """Return what a measurement may cost in words."""
    return (
        f"The process may grow by {ROOM} MiB while an item is measured, by {JSON} MiB where 4 MiB of JSON are a"
        " million objects.\nThe table says where it is another figure."
    )


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(each) + " |" for each in lines)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
