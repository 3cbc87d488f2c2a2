"""Makes hostile text harmless to look at: what probes bring back may hold anything."""

import unicodedata

_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories that steer a terminal, hide or reorder text: control, format, surrogate, private use,
unassigned, line and paragraph separators."""

_TAB_STOP = 8
_ASCII = 0x7F


def _escaped(char: str) -> str:
    if unicodedata.category(char) not in _UNSAFE:
        return char
    return (
        char.encode("unicode_escape", "surrogatepass").decode("ascii")
        if ord(char) > _ASCII
        else f"\\x{ord(char):02x}"
    )


def storable(text: str) -> str:
    r"""Return `text` with what is no Unicode spelled out (`\udce9`): half a surrogate pair, or a byte in disguise.

    Names from the file system and the account database may hold such, and UTF-8 cannot write them down.
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def visible(text: str) -> str:
    r"""Return `text` as one line in which every character that could steer a terminal is spelled out.

    ESC becomes `\x1b`, a newline `\x0a`, RIGHT-TO-LEFT OVERRIDE `\u202e`. The raw text stays in the store only.
    """
    if text.isprintable():
        return text
    return "".join(map(_escaped, text))


def visible_lines(text: str) -> list[str]:
    """Return the lines of `text`, each made visible, with tabs expanded; at least one line."""
    normal = text.replace("\r\n", "\n").expandtabs(_TAB_STOP)
    return [visible(line) for line in normal.removesuffix("\n").split("\n")]


def counted(count: int, what: str) -> str:
    """Return `1 run` or `3 runs`."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def there_are(count: int) -> str:
    """Return `there is none`, `there is 1` or `there are 3`."""
    return f"there are {count}" if count > 1 else f"there is {count or 'none'}"


def shortened(text: str, width: int, ellipsis: str = "...") -> str:
    """Return `text` cut to `width` characters, the cut shown by `ellipsis`."""
    return text if len(text) <= width else text[: max(0, width - len(ellipsis))] + ellipsis
