"""What hostile and broken sources do to each kind of probe, what it has to come to, and what that may cost.

`tests/real/test_hostile_input.py` does all of it to the real probes, and docs/hostile-input.md has a row for each.
"""

from support.hostile_places import of_places
from support.hostile_sources import of_servers_and_programs

CASES = (*of_servers_and_programs(), *of_places())
