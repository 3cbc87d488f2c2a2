"""What the kernel knows of its own clock."""

from opsconsole.model.events import Clock

_TIME_ERROR = 5
"""What adjtimex(2) returns while nothing keeps the clock synchronised."""

_TIMEX_BYTES = 512
"""More than `struct timex` has on any platform; its first field, the modes, is zero: nothing is set."""


def clock_state() -> Clock:
    """Return whether something keeps this host's clock right, by adjtimex(2), which any account may ask."""
    import ctypes  # only a sign-off asks

    try:
        libc = ctypes.CDLL(None, use_errno=True)
        buffer = ctypes.create_string_buffer(_TIMEX_BYTES)
        answer = libc.adjtimex(buffer)
    except (OSError, AttributeError):
        return Clock.UNKNOWN
    if answer < 0:
        return Clock.UNKNOWN
    return Clock.UNSYNCHRONISED if answer == _TIME_ERROR else Clock.SYNCHRONISED
