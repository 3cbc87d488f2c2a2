"""Measures once with one probe and prints what came of it: run inside the boxed machine by `systemd.py`.

Reads `{"probe", "options", "context", "uid"}` as JSON from standard input and writes `{"reading": …}` or
`{"problem": …, "evidence": …}`. With a uid it becomes that user after everything is imported, because an ordinary
user may not be able to read the interpreter's own directory.
"""

import asyncio
import importlib
import os
import sys
from typing import Any

import msgspec

from opsconsole.contracts.probe import Context, Environment, ProbeError, ProbeKind
from opsconsole.model.encoding import dec_hook, plain


def _become(uid: int) -> None:
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)
    os.environ["HOME"] = "/"


async def _measured(kind: ProbeKind, options: Any, context: Context) -> dict[str, Any]:
    probe = kind.open(Environment())
    try:
        reading = await probe.measure(options, context)
    except ProbeError as error:
        return {"problem": plain(error.problem), "evidence": plain(error.evidence)}
    else:
        return {"reading": plain(reading)}
    finally:
        await probe.aclose()


def main() -> None:
    """Answer the one request on standard input."""
    request = msgspec.json.decode(sys.stdin.buffer.read())
    kind: ProbeKind = importlib.import_module(f"opsconsole.checks.{request['probe']}").KIND
    options = msgspec.convert(request["options"], kind.options, dec_hook=dec_hook)
    context = msgspec.convert(request["context"], Context, dec_hook=dec_hook, strict=False)
    if request["uid"]:
        _become(request["uid"])
    sys.stdout.buffer.write(msgspec.json.encode(asyncio.run(_measured(kind, options, context))))


if __name__ == "__main__":
    main()
