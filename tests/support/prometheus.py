"""A real Prometheus, with a real node-exporter, on loopback: in a directory of its own, ended by its process.

Debian's packages `prometheus` and `prometheus-node-exporter` have both, and `promtool`, which writes samples of the
past into the store before the server starts: a real history without waiting for one.
"""

import contextlib
import shutil
import socket
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest

from support.needs import missing

PROGRAMS = ("prometheus", "promtool", "prometheus-node-exporter")
START_SECONDS = 30.0
LAG = 60
"""Seconds that the samples of one target are always behind."""
_HOUR = 3600


class Prometheus(msgspec.Struct, frozen=True):
    """A server that runs, and what it was given."""

    url: str
    exporter: str
    """Host and port of the node-exporter that it scrapes, each second."""
    seeded: int
    """When the history ends, in seconds since the epoch: a little before the start of the server, which takes no
    samples that are older than those it has."""


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _history(now: int) -> str:
    """Return samples in the OpenMetrics text format: each minute of six hours.

    `seeded_temperature` goes up by 6 an hour in `a`, and is level in `b`, which lacks half an hour;
    `seeded_latency` is NaN in its second hour; `seeded_jobs_total` counts one a second and begins again thrice;
    `seeded_gone` ended two hours before the others.
    """
    begin = now - 6 * _HOUR
    minutes = range(begin, now + 1, 60)
    lines = ["# TYPE seeded_temperature gauge"]
    lines += [f'seeded_temperature{{room="a"}} {20 + (at - begin) / 600:.6f} {at}' for at in minutes]
    lines += [
        f'seeded_temperature{{room="b"}} 20 {at}'
        for at in minutes
        if not now - 2 * _HOUR <= at < now - 2 * _HOUR + 1800
    ]
    lines.append("# TYPE seeded_latency gauge")
    lines += [f"seeded_latency {'NaN' if _HOUR <= at - begin < 2 * _HOUR else '0.2'} {at}" for at in minutes]
    lines.append("# TYPE seeded_jobs counter")
    lines += [f"seeded_jobs_total {(at - begin) % (2 * _HOUR)} {at}" for at in minutes]
    lines.append("# TYPE seeded_gone gauge")
    lines += [f'seeded_gone{{job="api"}} 1 {at}' for at in minutes if at <= now - 2 * _HOUR]
    return "\n".join((*lines, "# EOF\n"))


_CONFIG = """
global: {{ scrape_interval: 1s, scrape_timeout: 1s }}
scrape_configs:
  - job_name: prometheus
    static_configs: [{{ targets: ["{own}"] }}]
  - job_name: node
    static_configs: [{{ targets: ["{exporter}"] }}]
  - job_name: dead
    static_configs: [{{ targets: ["127.0.0.1:1"] }}]
  - job_name: lagging
    static_configs: [{{ targets: ["{lagging}"] }}]
"""


class _Lagging(BaseHTTPRequestHandler):
    """A target whose samples are always LAG seconds old, as of a gateway that nobody fills any more."""

    def do_GET(self) -> None:
        """Answer with one sample."""
        body = f"lagging 1 {int((time.time() - LAG) * 1000)}\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: Any) -> None:
        """Say nothing."""


class _Quiet(ThreadingHTTPServer):
    """Says nothing of a scrape that ended half way, as the last one does."""

    def handle_error(self, *_args: Any) -> None:
        """Say nothing."""


@contextlib.contextmanager
def _lagging() -> Iterator[str]:
    """Serve the target, and yield its host and port."""
    server = _Quiet(("127.0.0.1", 0), _Lagging)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def _running(argv: Sequence[str], log: Path) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(argv, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await(url: str, expected: bytes, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:
            if expected in answer.read():
                return
        time.sleep(0.05)
    raise AssertionError(f"{url} did not become ready:\n{log.read_text(errors='replace')[-2000:]}")


@contextlib.contextmanager
def running_prometheus(directory: Path) -> Iterator[Prometheus]:
    """Run both programs, wait until the first scrapes are in, and end them."""
    for program in PROGRAMS:
        if shutil.which(program) is None:
            missing(f"{program} is not installed (apt-get install prometheus prometheus-node-exporter).")
    with _lagging() as lagging:
        yield from _started(directory, lagging)


def _started(directory: Path, lagging: str) -> Iterator[Prometheus]:
    own, exporter = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    now = int(time.time()) - 2 * LAG
    (directory / "prometheus.yml").write_text(_CONFIG.format(own=own, exporter=exporter, lagging=lagging))
    (directory / "history.txt").write_text(_history(now))
    data, log = directory / "data", directory / "prometheus.log"
    subprocess.run(
        ["promtool", "tsdb", "create-blocks-from", "openmetrics", directory / "history.txt", data],
        check=True,
        capture_output=True,
        timeout=60,
    )
    server = [
        "prometheus",
        f"--config.file={directory / 'prometheus.yml'}",
        f"--storage.tsdb.path={data}",
        f"--web.listen-address={own}",
        "--log.level=warn",
    ]
    node = [
        "prometheus-node-exporter",
        f"--web.listen-address={exporter}",
        "--collector.disable-defaults",
        *(f"--collector.{each}" for each in ("cpu", "meminfo", "filesystem", "loadavg")),
    ]
    with _running(node, directory / "node.log"), _running(server, log):
        _await(f"http://{exporter}/metrics", b"node_load1", directory / "node.log")
        _await(f"http://{own}/-/ready", b"Ready", log)
        there = "count(up) + count(rate(node_cpu_seconds_total[1m])) * 0 + count(lagging) * 0"
        _await(f"http://{own}/api/v1/query?{urllib.parse.urlencode({'query': there})}", b'"4"', log)
        yield Prometheus(f"http://{own}", exporter, now)


@contextlib.contextmanager
def remembering(directory: Path, history: str) -> Iterator[str]:
    """Run a server that scrapes nothing and holds a history, in the OpenMetrics text format; yield its URL."""
    for program in PROGRAMS[:2]:
        if shutil.which(program) is None:
            missing(f"{program} is not installed (apt-get install prometheus).")
    own, log = f"127.0.0.1:{free_port()}", directory / "prometheus.log"
    config, samples, data = directory / "prometheus.yml", directory / "history.txt", directory / "data"
    config.write_text("{}")
    samples.write_text(history)
    # a few large blocks: one for every two hours takes minutes
    promtool = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=2400h"]
    subprocess.run([*promtool, samples, data], check=True, capture_output=True, timeout=60)
    server = [
        "prometheus",
        f"--config.file={config}",
        f"--storage.tsdb.path={data}",
        "--storage.tsdb.retention.time=1y",
        f"--web.listen-address={own}",
        "--log.level=warn",
    ]
    with _running(server, log):
        _await(f"http://{own}/-/ready", b"Ready", log)
        yield f"http://{own}"


@pytest.fixture(scope="session")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Run a Prometheus of this test process's own."""
    with running_prometheus(tmp_path_factory.mktemp("prometheus")) as server:
        yield server
