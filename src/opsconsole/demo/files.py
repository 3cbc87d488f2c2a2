"""Files that a demo makes up: written as if at an instant, with archives as backups have them."""

import datetime as dt
import hashlib
import io
import os
import tarfile
from collections.abc import Mapping
from pathlib import Path


def written(path: Path, data: bytes, when: dt.datetime, mode: int = 0o640) -> Path:
    """Write a file, last changed at an instant (aware); it is whole at any moment that somebody looks."""
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.write_bytes(data)
    unfinished.chmod(mode)
    os.utime(unfinished, (when.timestamp(), when.timestamp()))
    return unfinished.replace(path)


def tar_gz(members: Mapping[str, bytes], when: dt.datetime) -> bytes:
    """Return a compressed archive of files, by name."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz", compresslevel=1) as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(content), int(when.timestamp())
            archive.addfile(member, io.BytesIO(content))
    return made.getvalue()


def with_checksum(path: Path, data: bytes, when: dt.datetime) -> None:
    """Write a file, and its SHA-256 beside it as `sha256sum` has it."""
    written(path, data, when)
    said = f"{hashlib.sha256(data).hexdigest()}  {path.name}\n"
    written(path.with_name(f"{path.name}.sha256"), said.encode(), when)


def noise(seed: str, size: int) -> bytes:
    """Return bytes that do not compress, the same for a seed."""
    return hashlib.shake_256(seed.encode()).digest(size)
