"""Texts that try to be something else than text, for hypothesis."""

from hypothesis import strategies as st

FRAGMENTS = (
    *"#-+=:>|\\`*_~[]()<>&!$.;\"'/ \t\n\r",
    *("a", "1", "é", "例", "\u0301", "\u00a0", "\u2003"),
    *("```", "~~~", "    ", "---", "===", ":--", "| - |", "1. ", "- ", "# ", "> ", "  \n", "\\\n", "\n\n", "\n|"),
    *(
        "<b>",
        "</b>",
        "<!--",
        "-->",
        "<?x",
        "<![CDATA[",
        "<a href='",
        "&amp;",
        "&#65;",
        "&copy",
        "<https://",
        "x@y.z",
    ),
    *("[x]: https://", "](", "![", "https://", "www.", "snake_case", "__init__", "C#", "a < b", "AT&T"),
    *("\x00", "\x07", "\x1b[31m", "\x1b]0;", "\x7f", "\x85", "\x9b2J", "\u200b", "\u202e", "\u2028", "\ufeff"),
    *("\ud800", "\udc80", "\U000e0041", "\U0001f600", "\ue000", "\uffff"),
)

any_text = st.text(st.characters(codec=None, exclude_categories=()), max_size=30)
"""Any characters at all, lone surrogates included."""

hostile_text = st.one_of(
    st.lists(st.sampled_from(FRAGMENTS), max_size=14).map("".join),
    any_text,
)
"""Mostly what means something to a terminal, to markdown or to HTML, in any order."""
