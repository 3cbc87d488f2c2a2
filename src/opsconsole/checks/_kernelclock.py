"""What the kernel knows of its own clock: adjtimex(2), which any account may ask."""

import ctypes
import os

import msgspec

_TIME_ERROR = 5
"""What adjtimex(2) returns while nothing keeps the clock synchronised."""


class _Timex(ctypes.Structure):
    """The beginning of `struct timex`, with room for what follows. `modes` is zero: nothing is set."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 512),
    )


class KernelClock(msgspec.Struct, frozen=True):
    """The state of the clock."""

    synchronised: bool
    """Whether something keeps it right."""
    max_error: int
    """Microseconds that it may be wrong at most, as the kernel reckons; grows while nobody corrects the clock."""


def kernel_clock() -> KernelClock | str:
    """Return the state of the kernel's clock, or why it cannot be known."""
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        timex = _Timex()
        answer = libc.adjtimex(ctypes.byref(timex))
    except (OSError, AttributeError) as error:
        return f"the kernel cannot be asked: {error}"
    if answer < 0:
        return f"the kernel does not say: {os.strerror(ctypes.get_errno())}"
    return KernelClock(answer != _TIME_ERROR, max(0, timex.maxerror))
