"""What signs, and what keeps heads of the chain outside of the record, as the configuration says."""

from opsconsole.config.settings import Config
from opsconsole.contracts.store import Store
from opsconsole.engine.signing import Signing


def signing_of(_config: Config, store: Store) -> Signing:
    """Return what this operator signs with."""
    return Signing(store)
