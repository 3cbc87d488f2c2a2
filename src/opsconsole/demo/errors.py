"""What the demo says when it cannot start."""


class DemoError(Exception):
    """The demo's database cannot be had; the message is the cause, `hint` what the person can do about it."""

    def __init__(self, cause: str, hint: str = "") -> None:
        super().__init__(cause)
        self.cause = cause
        self.hint = hint
