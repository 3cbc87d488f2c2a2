"""Writes docs/probes.md from the option structs of the probes: `make docs`. A test compares the two."""

import textwrap
from pathlib import Path
from typing import Any

import msgspec

from opsconsole.checks._statements import PARAMETERS
from opsconsole.contracts.probe import ProbeKind
from opsconsole.model.encoding import dec_hook
from opsconsole.model.values import Unit
from opsconsole.wiring.describing import default_text, field_docs, nested, type_name
from opsconsole.wiring.kinds import probe_kinds

PAGE = Path(__file__).parent.parent / "docs" / "probes.md"

HEAD = """\
# Probes

What measures. An item names one by `probe = "…"`, and its options stand beside the item's other keys
(see [checklists.md](checklists.md)). This page is written from the source by `make docs`.

A probe reads and never judges. Where it cannot see, it says so: the item becomes an ERROR with cause and hint,
never a pass. Every item has a `timeout` (10 s unless it says otherwise).

Before it is written down, an item can be tried out. Its keys are options then, with `-` for `_`; lists and tables
are written as in TOML. Without a condition, what it prints ends with what conditions may speak of:

```sh
opsconsole probe file --path /var/log/app --pattern '*.log' --max-mode 0640 --require 'too_open == 0'
opsconsole probe http --url https://app.example --path /health --json '{ state = "$.status" }'
opsconsole probe http --help          # its options, as on this page
```

```toml
[[section.item]]
id = "health"
title = "The application calls itself healthy"
probe = "http"
url = "https://app.example"
path = "/health"
json = { state = "$.status" }
require = ["status == 200", "state == 'ok'", "latency < 2 s"]
```

More examples are the [checklists](../checklists) of the five systems.

"""


def unit_text(unit: Unit | None) -> str:
    """Return what a subject is, for a person."""
    words = {
        None: "text, truth value, moment or number",
        Unit.COUNT: "plain number",
        Unit.PERCENT: "percentage",
        Unit.BYTES: "bytes",
        Unit.SECONDS: "duration",
    }
    return words[unit]


def subject_rows(kind: ProbeKind) -> list[str]:
    """Return what conditions may speak of, for each way of using the probe."""
    rows = []
    for title, options in EXAMPLES.get(kind.name, {"": {}}).items():
        subjects = kind.subjects(msgspec.convert(options, kind.options, dec_hook=dec_hook))
        if subjects is None:
            return ["", "Conditions speak of the columns of the result, and of `count`, `value` and `latency`."]
        rows += ["", f"| condition on{f', {title}' if title else ''} | is |", "|---|---|"]
        rows += [f"| `{name}` | {unit_text(unit)} |" for name, unit in subjects.items()]
    return rows


def section(kind: ProbeKind) -> str:
    """Return one probe's part of the page."""
    docs = field_docs(kind.options)
    lines = [f"\n## {kind.name}\n", kind.summary, ""]
    fields = msgspec.structs.fields(kind.options)
    if fields:
        lines += ["| option | what | type | default |", "|---|---|---|---|"]
    else:
        lines += ["It has no options."]
    for field in fields:
        said = docs.get(field.name, "").replace("|", "\\|")
        lines.append(f"| `{field.encode_name}` | {said} | {type_name(field.type)} | {default_text(field)} |")
        inner = nested(field.type)
        for each in msgspec.structs.fields(inner) if inner is not None else ():
            said = field_docs(inner).get(each.name, "").replace("|", "\\|")  # type: ignore[arg-type]
            name = f"{field.encode_name}.{each.encode_name}"
            lines.append(f"| `{name}` | {said} | {type_name(each.type)} | {default_text(each)} |")
    lines += subject_rows(kind)
    lines += [f"\n{TRIED[kind.name]}"] if kind.name in TRIED else []
    if kind.name == "history":
        lines += ["", "What each of them is: [Looking back](checklists.md#looking-back)."]
    if kind.name == "sql":
        lines += ["", "| parameter of a query | type | is |", "|---|---|---|"]
        lines += [f"| `:{name}` | {each.type} | {each.meaning} |" for name, each in PARAMETERS.items()]
    return "\n".join(lines) + "\n"


def page() -> str:
    """Return the whole page."""
    kinds = probe_kinds()
    names = sorted(kinds)
    index = textwrap.fill(" · ".join(f"[{name}](#{name})" for name in names), 118)
    return f"{HEAD}{index}\n" + "".join(section(kinds[name]) for name in names)


TRIED = {
    "loki": "It is tested against a double made of answers that Loki 3.3.2 gave, and of its documentation.",
    "mysql": "It is tested against MariaDB 10.11; what MySQL does in another way, against doubles of its protocol.",
    "http": "It is tested against nginx 1.22, and a server of the tests' own that misbehaves in every way.",
    "logfile": "It is tested, among others, on the logs that nginx 1.22 writes and rotates.",
    "diskio": "It is tested on the disk that the tests write to, and on lines of Linux 4.15, 4.19 and 6.1.",
    "container": "It is tested against Docker 20.10; podman by a double made of its documentation.",
}
"""What a reader should know of the components that a probe was tried against."""

EXAMPLES: dict[str, dict[str, dict[str, Any]]] = {
    "backup": {"": {"path": "/srv/backups", "checksum": True, "test": True, "contains": ["public.orders"]}},
    "clock": {"of this host": {}, "with `server`": {"server": "ntp.example"}},
    "command": {
        "": {"argv": ["true"]},
        "with `value` and `patterns`": {
            "argv": ["true"],
            "value": "/([0-9]+)/",
            "patterns": {"total": "/([0-9]+)/"},
        },
        "a plugin with `labels`": {"argv": ["true"], "nagios": True, "labels": ["load1"]},
    },
    "compare": {
        "two values": {"left": {"item": "here"}, "right": {"item": "there"}},
        "two tables": {
            "left": {"item": "here", "key": "name", "column": "records"},
            "right": {"item": "there", "key": "name", "column": "records"},
        },
    },
    "cpu": {"": {}, "with `per_core`": {"per_core": True}},
    "disk": {"one file system": {}, "all of them": {"all": True}},
    "diskio": {"one device": {"device": "/srv"}, "all disks": {}},
    "dns": {"": {"name": "www.example"}, "with type SOA": {"name": "example", "type": "SOA"}},
    "http": {
        "the request": {"url": "https://app.example"},
        "with `text` and `certificate`": {"url": "https://app.example", "text": True, "certificate": True},
        "with JSON": {
            "url": "https://app.example",
            "json": {"state": "$.status", "ok": "$.checks[*].ok"},
            "counts": {"down": "$.services[?@.state != 'up']"},
        },
    },
    "file": {
        "one file": {"path": "/var/log/app.log"},
        "files that fit a pattern": {"path": "/var/log", "pattern": "*.log", "max_mode": "0640"},
        "with `secrets`": {"path": "/var/log", "pattern": "*.log", "secrets": True},
    },
    "history": {"with `subject` and `limit`": {"item": "disk", "subject": "used", "limit": "90%"}},
    "journal": {"messages": {}, "events": {"unit": "backup.service", "events": True}},
    "network": {
        "one interface": {"interface": "eth0"},
        "all of them": {},
        "connections": {"of": "connections"},
        "ports": {"of": "listening"},
    },
    "process": {"": {"name": "nginx"}},
    "loki": {
        "counts": {"selector": '{app="api"}', "patterns": {"critical": "CRITICAL:"}},
        "with `by`": {"selector": '{app="api"}', "by": ["job"]},
        "with `query`": {"selector": '{app="api"}', "query": "sum(rate({app='api'} [$__range]))"},
    },
    "mysql": {"": {"source": "shop", "query": "select 1"}},
    "postgres": {
        f"`about = '{about}'`": {"source": "inventory", "about": about}
        for about in (
            *(
                "connections",
                "activity",
                "locks",
                "response",
                "database",
                "sizes",
                "tables",
                "statements",
                "vacuum",
            ),
            *("replication", "invalid"),
        )
    },
    "logfile": {
        "entries": {"path": "/var/log/app.log", "patterns": {"critical": "CRITICAL:"}, "before": "7 d"},
        '`show = "messages"`': {"path": "/var/log/app.log", "show": "messages"},
        '`show = "hours"`': {"path": "/var/log/app.log", "show": "hours"},
    },
    "ratio": {"": {"numerator": {"item": "failed"}, "denominator": {"item": "all"}}},
    "prometheus": {
        "now": {"query": "sum by (job) (rate(requests_total[5m]))", "labels": ["job"]},
        "now, of a selector": {"query": "up"},
        "with `since`": {"query": "up", "since": "24 h"},
        "with `counter`": {"query": "requests_total", "since": "24 h", "counter": True},
    },
    "sql": {"": {"source": "inventory", "query": "select 1"}},
    "tcp": {
        "": {"host": "db.example", "port": 5432},
        "with `expect`": {"host": "db.example", "port": 22, "expect": "/^SSH-2/"},
    },
    "timer": {"": {"unit": "backup.timer"}},
    "unit": {
        "one unit": {"unit": "backup.service"},
        "several units": {"units": ["app-*"]},
        "failed units": {"state": "failed"},
    },
}
"""Options that show the subjects of a probe, for each way of using it."""

if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
