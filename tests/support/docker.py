"""A real Docker daemon for tests: dockerd of Debian in namespaces of its own, without a network or a registry.

It is process 1 of its own process, mount and network namespaces, so that killing it ends its containers and takes
its mounts along; its data, its socket and its control groups are its own. The one image is made of a static
busybox. It needs root and the packages docker.io and busybox-static; elsewhere the tests that ask for it are
skipped loudly, and fail in CI.
"""

import contextlib
import io
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import httpx
import pytest

from support.needs import missing

PROGRAMS = ("dockerd", "containerd", "runc", "unshare", "setpriv", "busybox")
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
CGROUPS = Path("/sys/fs/cgroup")
IMAGE = "opsconsole-test:1"
APPLETS = ("sh", "sleep", "true", "false", "cat", "test", "echo")
START_SECONDS = 30.0
_CGROUP_PREFIX = "opsconsole-docker-"


class DockerError(Exception):
    """The daemon could not be started or asked; the message says why."""


class DockerDaemon:
    """A running daemon; `stop` kills it with all its containers and removes what it left."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.socket = directory / "docker.sock"
        self.cgroup = f"{_CGROUP_PREFIX}{os.getpid()}-{secrets.token_hex(4)}"
        self._outer: subprocess.Popen[bytes] | None = None
        self.client = httpx.Client(
            transport=httpx.HTTPTransport(uds=str(self.socket)), base_url="http://docker", timeout=30.0
        )

    def start(self) -> None:
        """Start it, wait until it answers, and give it the image."""
        remove_stale_cgroups()
        (self.directory / "daemon.json").write_text("{}", encoding="ascii")
        with (self.directory / "log").open("wb") as log:
            self._outer = subprocess.Popen(
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={"PATH": PATH},
                start_new_session=True,
            )
        self.until(self._answers, "an answer of dockerd", START_SECONDS)
        name, _, tag = IMAGE.partition(":")
        self._post("/images/create", params={"fromSrc": "-", "repo": name, "tag": tag}, content=_image())

    def _command(self) -> list[str]:
        namespaces = ["-m", "-p", "-f", "-n", "-u", "-i", "--mount-proc", "--kill-child"]
        # whatever ends this process, even kill -9, ends the daemon with it
        outer = ["setpriv", "--pdeathsig", "KILL", "unshare", *namespaces]
        places = {
            "host": f"unix://{self.socket}",
            "data-root": self.directory / "data",
            "exec-root": self.directory / "run",
            "pidfile": self.directory / "pid",
            "config-file": self.directory / "daemon.json",
            "cgroup-parent": f"/{self.cgroup}",
        }
        closed = ["--iptables=false", "--ip6tables=false", "--ip-masq=false", "--ip-forward=false", "--bridge=none"]
        plain = [
            "--exec-opt=native.cgroupdriver=cgroupfs",
            "--storage-driver=vfs",
            "--group=root",
            "--log-level=error",
        ]
        return [*outer, "dockerd", *(f"--{key}={value}" for key, value in places.items()), *closed, *plain]

    def _answers(self) -> bool:
        if self._outer is None or self._outer.poll() is not None:
            log = (self.directory / "log").read_text(encoding="utf-8", errors="replace")
            raise DockerError(f"dockerd ended: {log[-2000:]}")
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as trial:
            trial.connect(str(self.socket))
            return self.client.get("/_ping").status_code == 200
        return False

    def stop(self) -> None:
        """Kill the daemon, which ends everything in its namespaces, and remove its control groups."""
        self.client.close()
        if self._outer is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(_first_child(self._outer.pid) or self._outer.pid, signal.SIGKILL)
        for state in CGROUPS.glob(f"freezer/{self.cgroup}/*/freezer.state"):  # what is frozen cannot even be killed
            with contextlib.suppress(OSError):
                state.write_text("THAWED", encoding="ascii")
        self._outer.wait(10)
        self._outer = None
        self.until(lambda: _removed(self.cgroup), "the end of the containers", 10.0)

    def until(self, condition: Callable[[], bool], what: str, seconds: float = 20.0) -> None:
        """Wait for a condition, up to a deadline; raise DockerError naming `what` did not come."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise DockerError(f"{what} did not come within {seconds:g} s")
            time.sleep(0.02)

    # --- containers ----------------------------------------------------------------------------------

    def run(self, name: str, *argv: str, start: bool = True, **more: object) -> None:
        """Create a container without a network, and start it; `more` goes into the request as it is.

        `HostConfig` is completed, not replaced.
        """
        host = more.pop("HostConfig", {})
        assert isinstance(host, dict)
        request = {"Image": IMAGE, "Cmd": list(argv), "HostConfig": {"NetworkMode": "none", **host}, **more}
        self._post("/containers/create", params={"name": name}, json=request)
        if start:
            self._post(f"/containers/{name}/start")

    def shows(self, name: str, **state: object) -> bool:
        """Tell whether the state of a container (`Status`, `ExitCode` …) is as given; `Health` is its status."""
        found = self.client.get(f"/containers/{name}/json").json()["State"]
        found["Health"] = (found.get("Health") or {}).get("Status")
        return all(found.get(key) == value for key, value in state.items())

    @contextlib.contextmanager
    def paused(self, name: str) -> Iterator[None]:
        """Freeze a container for a while."""
        self._post(f"/containers/{name}/pause")
        try:
            yield
        finally:
            self._post(f"/containers/{name}/unpause")

    def remove(self, *names: str) -> None:
        """Kill containers and remove them."""
        for name in names:
            self.client.delete(f"/containers/{name}", params={"force": "1"}).raise_for_status()

    def _post(self, path: str, **request: object) -> None:
        answer = self.client.post(path, **request)  # type: ignore[arg-type]
        if answer.status_code >= 400 or '"error"' in answer.text:
            raise DockerError(f"{path}: {answer.text}")


def health(command: Sequence[str], seconds: float = 1.0) -> dict[str, object]:
    """Return the health check of a container that runs a command every second, and believes it at once."""
    nanoseconds = int(seconds * 1_000_000_000)
    return {"Test": ["CMD", *command], "Interval": nanoseconds, "Timeout": 10 * nanoseconds, "Retries": 1}


def _image() -> bytes:
    """Return the file system of the image: busybox under a few names."""
    packed = io.BytesIO()
    busybox = Path(shutil.which("busybox", path=PATH) or "/bin/busybox")
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(busybox, "bin/busybox")
        for name in APPLETS:
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(link)
    return packed.getvalue()


def _first_child(pid: int) -> int:
    with contextlib.suppress(OSError):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        return int(children[0]) if children else 0
    return 0


def _removed(name: str) -> bool:
    """Remove the control groups of that name in every hierarchy; return whether none is left."""
    groups = [each for each in (CGROUPS / name, *CGROUPS.glob(f"*/{name}")) if each.is_dir()]
    for group in groups:
        for directory in sorted(group.glob("**/"), reverse=True):
            with contextlib.suppress(OSError):
                directory.rmdir()
    return not any(each.exists() for each in groups)


def remove_stale_cgroups() -> None:
    """Remove what a test run that was killed could not."""
    for group in (*CGROUPS.glob(f"{_CGROUP_PREFIX}*"), *CGROUPS.glob(f"*/{_CGROUP_PREFIX}*")):
        pid = group.name.removeprefix(_CGROUP_PREFIX).partition("-")[0]
        if not Path(f"/proc/{pid}").exists():
            _removed(group.name)


def _unavailable() -> str:
    if sys.platform != "linux" or os.geteuid() != 0:
        return "it needs root on Linux"
    lacking = [program for program in PROGRAMS if shutil.which(program, path=PATH) is None]
    return f"not installed: {', '.join(lacking)}" if lacking else ""


@contextlib.contextmanager
def running_docker() -> Iterator[DockerDaemon]:
    """Run a daemon in a directory of its own, whose path is short enough for a socket, and remove all of it."""
    if why := _unavailable():
        missing(f"NO REAL DOCKER: {why}. Nothing that needs one was tested.")
    directory = Path(tempfile.mkdtemp(prefix="opsconsole-docker-"))
    directory.chmod(0o755)
    daemon = DockerDaemon(directory)
    try:
        try:
            daemon.start()
        except DockerError as error:
            missing(f"NO REAL DOCKER: {error}. Nothing that needs one was tested.")
        yield daemon
    finally:
        daemon.stop()
        shutil.rmtree(directory)


@pytest.fixture(scope="module")
def docker() -> Iterator[DockerDaemon]:
    """Give a Docker daemon without containers."""
    with running_docker() as daemon:
        yield daemon
