"""Fixtures of the tests that run real parts."""

from support.systemd import systemd_box

__all__ = ["systemd_box"]
