"""The root of everything that goes wrong in a way that a person can do something about."""


class OpsconsoleError(Exception):
    """Shown as `title: message`, with the hint below; never with a traceback."""

    title = "opsconsole"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint
