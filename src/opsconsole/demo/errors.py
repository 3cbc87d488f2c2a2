"""What the demo says when it cannot start."""

from opsconsole.model.errors import OpsconsoleError


class DemoError(OpsconsoleError):
    """What the demo shows cannot be had; the message is the cause, `hint` what the person can do about it."""

    title = "the demo cannot start"
