"""What is left out of what is sent must never be missed: reduced updates give the same picture as whole ones."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.geometry import Region, Size
from textual.strip import Strip

from opsconsole.widgets.shadow import ScreenShadow
from support.vt import Screen

_SIZE = Size(24, 3)
_CUTS = (0, 5, 11, 24)
_STYLES = [
    None,
    Style(),
    Style(bold=True),
    Style(reverse=True),
    Style(color="green"),
    Style(color="green", bold=True),
]
_CONSOLE = Console(force_terminal=True, color_system="standard")


@st.composite
def _strips(draw: st.DrawFn, cells: int) -> Strip:
    """Draw a strip of `cells` cells in a few styles, mostly of letters, sometimes wide or combining."""
    segments = []
    while cells > 0:
        text = draw(st.sampled_from(["a", "ab", "     ", "xyz ", "│", "漢", "e\u0301", "·····"]))
        strip = Strip([Segment(text)]).crop(0, cells)
        segments.append(Segment(strip.text, draw(st.sampled_from(_STYLES))))
        cells -= strip.cell_length
    return Strip(segments)


@st.composite
def _updates(draw: st.DrawFn) -> CompositorUpdate:
    """Draw a full update, or one of some parts of some lines, as Textual's compositor makes them."""
    widths = [end - start for start, end in pairwise(_CUTS)]
    lines = [[draw(_strips(width)) for width in widths] for _ in range(_SIZE.height)]
    if draw(st.booleans()):
        return LayoutUpdate([*lines], Region(0, 0, *_SIZE))
    spans = []
    for y in sorted(draw(st.sets(st.integers(0, _SIZE.height - 1), min_size=1))):
        start = draw(st.integers(0, _SIZE.width - 1))
        spans.append((y, start, draw(st.integers(start + 1, _SIZE.width))))
    chops = [dict(zip(_CUTS, line, strict=False)) for line in lines]
    return ChopsUpdate(chops, spans, [list(_CUTS[1:]) for _ in lines])


@settings(deadline=None, max_examples=60)
@given(st.lists(st.one_of(_updates(), st.just(None)), min_size=1, max_size=8))
def test_reduced_updates_draw_the_same_picture(updates: list[CompositorUpdate | None]) -> None:
    """After any sequence of updates every cell shows what it would show had everything been sent.

    None stands for a moment after which nothing is taken for granted.
    """
    whole, reduced = Screen(*_SIZE), Screen(*_SIZE)
    for screen in (whole, reduced):
        screen.feed(b"\x1b[?7l")
    shadow = ScreenShadow()
    for update in updates:
        if update is None:
            shadow.forget()
            continue
        whole.feed(update.render_segments(_CONSOLE).replace("\n", "\r\n").encode())
        left = shadow.reduce(update, _SIZE, _CONSOLE)
        if left is not None:
            reduced.feed(left.render_segments(_CONSOLE).encode())
        assert reduced.picture == whole.picture


def _line(text: str) -> LayoutUpdate:
    return LayoutUpdate([[Strip([Segment(text.ljust(_SIZE.width))])]] * _SIZE.height, Region(0, 0, *_SIZE))


def _codes(update: CompositorUpdate | None) -> str | None:
    return None if update is None else update.render_segments(_CONSOLE)


def test_nothing_is_sent_twice() -> None:
    """A screen painted over with itself costs no byte, a changed digit costs that digit."""
    shadow = ScreenShadow()
    first = _codes(shadow.reduce(_line("value 1"), _SIZE, _CONSOLE))
    assert first == "\x1b[2J\x1b[1;1Hvalue 1\x1b[2;1Hvalue 1\x1b[3;1Hvalue 1"
    assert shadow.reduce(_line("value 1"), _SIZE, _CONSOLE) is None
    assert _codes(shadow.reduce(_line("value 2"), _SIZE, _CONSOLE)) == "\x1b[1;7H2\x1b[2;7H2\x1b[3;7H2"


def test_forgetting_sends_everything_again() -> None:
    """After the terminal was lent, stalled or resized, the whole screen comes anew."""
    shadow = ScreenShadow()
    first = _codes(shadow.reduce(_line("value 1"), _SIZE, _CONSOLE))
    shadow.forget()
    assert _codes(shadow.reduce(_line("value 1"), _SIZE, _CONSOLE)) == first
    wider = Size(_SIZE.width + 1, _SIZE.height)
    assert _codes(shadow.reduce(_line("value 1"), wider, _CONSOLE)) != ""
