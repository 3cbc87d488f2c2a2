"""How strongly a signature binds its signer."""

from enum import StrEnum


class Tier(StrEnum):
    """How strongly a signature binds its signer; shown wherever the signature is."""

    ATTRIBUTED = "attributed"
    """To the login only: no key, no proof."""
    REAUTHENTICATED = "reauthenticated"
    """The person gave the password of the login again: still this program's word, and no proof to others."""
    SIGNED = "signed"
    """With an SSH key."""
    HARDWARE = "hardware-signed"
    """With an SSH key that lies in a security key, which was touched for it."""

    def satisfies(self, wanted: "Tier") -> bool:
        """Return whether it binds at least as strongly as `wanted`."""
        order = list(Tier)
        return order.index(self) >= order.index(wanted)

    @property
    def keyed(self) -> bool:
        """Whether there is a signature that others can check."""
        return self in {Tier.SIGNED, Tier.HARDWARE}
