"""The one formula of the chain, for whoever reads links: how stores keep it stands in store/chain.py."""

import hashlib


def link_hash(prev: str, document: bytes) -> str:
    """Return the hash, in hexadecimal, of `document` standing after the link whose hash is `prev`."""
    return hashlib.sha256(prev.encode("ascii") + document).hexdigest()
