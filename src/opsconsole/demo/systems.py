"""The systems that the demo can show, by the names that `opsconsole init --system` has for them."""

import importlib
from enum import StrEnum

from opsconsole.demo.system import DemoSystem


class SystemName(StrEnum):
    """A system that the demo can show; its package here has the same name."""

    QBR = "qbr"
    MONITORING = "monitoring"
    SYNC = "sync"
    GOLIVE = "golive"
    WEBAPP = "webapp"


def demo_system(name: SystemName) -> DemoSystem:
    """Return the demo of a system; what it needs is imported now."""
    found: DemoSystem = importlib.import_module(f"opsconsole.demo.{name}.shown").SYSTEM
    return found
