"""Draws the pictures of the README from the real console on the demo's PostgreSQL: `make screenshots`."""

import asyncio
import dataclasses
import os
import sys
import tempfile
from pathlib import Path
from unittest.mock import patch

from opsconsole.widgets.environment import Terminal, prepare

PICTURES = Path(__file__).parent.parent / "docs" / "pictures"
SIZE = (110, 29)


async def draw(directory: Path, png: Path | None) -> None:
    """Drive the console through a morning on which ConnectWise was late, and draw what it shows."""
    from textual.pilot import Pilot

    from opsconsole.app import ConsoleApp
    from opsconsole.demo.qbr.faults import Fault
    from opsconsole.demo.systems import SystemName
    from opsconsole.model.events import Actor, Clock, Via
    from opsconsole.widgets.rows import Rows
    from opsconsole.wiring.demo import demo_services

    # The clock of the host in the picture, not of the one that draws it.
    kept = patch("opsconsole.screens.signoff.clock_state", lambda: Clock.SYNCHRONISED)
    with kept, demo_services(SystemName.QBR, None, directory, Fault.LATE_COLLECTOR, Via.CONSOLE) as parts:
        parts.engine.actor = Actor("operator", "Day Operator", "ops01", Via.CONSOLE)
        app = ConsoleApp(dataclasses.replace(parts, notices=()), Terminal())

        async def shown(pilot: Pilot[None], text: str) -> None:
            for _ in range(200):
                await pilot.pause(0.05)
                if text in app.export_screenshot(simplify=True).replace("&#160;", " "):
                    return
            raise SystemExit(f"the console never showed {text!r}")

        def save(name: str) -> None:
            svg = app.export_screenshot(title="opsconsole", simplify=True)
            (PICTURES / f"{name}.svg").write_text(svg, encoding="utf-8")
            if png is not None:
                import resvg_py

                data = resvg_py.svg_to_bytes(svg_string=svg, monospace_family="DejaVu Sans Mono")
                (png / f"{name}.png").write_bytes(bytes(data))

        async with app.run_test(size=SIZE) as pilot:
            await shown(pilot, "QBR daily monitoring")
            app.screen.query_one(Rows).move_to("qbr-daily")
            await shown(pilot, "qbr-daily@")
            save("today")
            await pilot.press("enter")
            await shown(pilot, "2 pending")
            app.screen.query_one(Rows).move_to("duration-connectwise")
            await shown(pilot, "missed")
            save("run")
            await pilot.press("g")
            await shown(pilot, "needs a note")
            save("sign-off")


def main() -> None:
    """Draw into docs/pictures, and as PNG into the directory named on the command line."""
    prepare(os.environ)
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        asyncio.run(draw(Path(directory), Path(sys.argv[1]) if len(sys.argv) > 1 else None))


if __name__ == "__main__":
    main()
