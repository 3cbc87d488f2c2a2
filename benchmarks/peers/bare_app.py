"""The smallest Textual application there is: one line of text, nothing else."""

from textual.app import App, ComposeResult
from textual.widgets import Static


class BareApp(App[None]):
    """Shows one line."""

    def compose(self) -> ComposeResult:
        """Place it."""
        yield Static("QBR daily monitoring")


if __name__ == "__main__":
    BareApp().run()
