"""The page for operators names every way in which signing can fail."""

import re
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
_RAISED = re.compile(r'(?:SigningError|SignatureRefused|AgentProblem|not_eligible)\(\s*"([a-z-]+)"')


def test_every_reason_is_in_the_page() -> None:
    """Whoever looks a code up finds what is the case, and what to do."""
    source = "".join(path.read_text() for path in (REPOSITORY / "src/opsconsole/signing").glob("*.py"))
    reasons = set(_RAISED.findall(source))
    page = (REPOSITORY / "docs/signing.md").read_text()
    assert len(reasons) > 30
    assert {each for each in reasons if f"`{each}`" not in page} == set()
