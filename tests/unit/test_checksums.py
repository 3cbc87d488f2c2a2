"""Files of checksums as coreutils and BSD write them are understood, and nothing else is."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.checks._archives import UntestableError
from opsconsole.checks._archives_sums import ALGORITHMS, is_checksum, parsed_sum, verified
from opsconsole.contracts.probe import ProbeError
from support.filing import ran, stop, written

CONTENT = b"a backup" * 1000


def digest(algorithm: str, content: bytes = CONTENT) -> str:
    """Return a checksum in hexadecimal digits."""
    return hashlib.new(algorithm, content, usedforsecurity=False).hexdigest()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("shape", ["{d}  {n}\n", "{d} *{n}\r\n", "{A} ({n}) = {d}\n", "{d}\n", "{D}  ./{n}"])
def test_every_style(tmp_path: Path, algorithm: str, shape: str) -> None:
    """The styles of sha256sum and its kin are read, of each algorithm; one wrong byte is seen."""
    place = written(tmp_path / "b.dump", CONTENT)
    said = digest(algorithm)
    sums = tmp_path / f"b.dump.{algorithm}"
    sums.write_text(shape.format(d=said, D=said.upper(), A=algorithm.upper(), n="b.dump"))
    assert verified(str(place), "", stop()).verdict == "ok"
    place.write_bytes(CONTENT[:-1] + b"X")
    assert verified(str(place), "", stop()).verdict == "differs"


@pytest.mark.parametrize("program", ["sha256sum", "sha512sum", "md5sum"])
def test_what_the_programs_write(tmp_path: Path, program: str) -> None:
    """Lists by the real programs are read, with names that they escape, and in the BSD style."""
    names = ["b.dump", "with space.dump", "line\nfeed.dump", "back\\slash.dump", "ümläut.dump"]
    for name in names:
        written(tmp_path / name, name.encode())
    for more in ([], ["--tag"]):
        (tmp_path / f"{program.upper()}S").write_bytes(ran(program, *more, "--", *names, cwd=tmp_path))
        assert [verified(str(tmp_path / name), "", stop()).verdict for name in names] == ["ok"] * len(names)


def test_where_they_are_looked_for(tmp_path: Path) -> None:
    """Beside the file, then in lists; the strongest counts; none is `absent`; one that speaks of others is told."""
    place = written(tmp_path / "b.dump", CONTENT)
    assert verified(str(place), "", stop()).verdict == "absent"
    (tmp_path / "md5sums.txt").write_text(f"{digest('md5', b'other')}  b.dump\n")
    assert verified(str(place), "", stop()).verdict == "differs"
    (tmp_path / "SHA256SUMS").write_text(
        f"# made at night\n{digest('sha256')}  other.dump\n{digest('sha256')}  b.dump\n"
    )
    assert verified(str(place), "", stop()).verdict == "ok"
    (tmp_path / "b.dump.sha256").write_text(f"{digest('sha256')}  other.dump\n")
    assert verified(str(place), "", stop()).verdict == "ok"  # the list still says so
    (tmp_path / "SHA256SUMS").unlink()
    (tmp_path / "md5sums.txt").unlink()
    with pytest.raises(UntestableError, match="has no checksum of"):
        verified(str(place), "", stop())
    elsewhere = written(tmp_path / "sums" / "list", f"{digest('sha1')}  /srv/b.dump\n".encode())
    assert verified(str(place), str(elsewhere), stop()).verdict == "ok"
    for missing in (tmp_path / "gone", tmp_path):
        with pytest.raises(ProbeError):
            verified(str(place), str(missing), stop())


def test_names_alike_in_several_directories(tmp_path: Path) -> None:
    """In a list of a whole tree the line counts that means this very file."""
    one, two = written(tmp_path / "one/b", b"1"), written(tmp_path / "two/b", b"2")
    sums = written(tmp_path / "SHA256SUMS", ran("sha256sum", "one/b", "two/b", cwd=tmp_path))
    assert [verified(str(each), str(sums), stop()).verdict for each in (one, two)] == ["ok", "ok"]


@pytest.mark.parametrize(
    "name", ["b.sha256", "b.tar.gz.md5sum", "SHA256SUMS", "sha512sums.txt", "MD5SUM", "CHECKSUMS"]
)
def test_checksums_are_no_backups(name: str) -> None:
    """What holds checksums is not taken for a backup."""
    assert is_checksum(f"below/{name}")


@given(st.text(max_size=200))
def test_anything_may_be_a_line(line: str) -> None:
    """A line is read or is none, whatever it is; digits of another length are none."""
    parsed_sum(line)
    assert parsed_sum("ab" * 10 + "  name") is None
    assert parsed_sum(f"BLAKE2b (b) = {'ab' * 64}") is None
    assert parsed_sum(f"SHA256 (b) = {'ab' * 16}") is None
    assert not is_checksum("b.dump")
