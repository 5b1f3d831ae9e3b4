"""The two TAP services of a benchmark and the one client that asks them."""

import http.client
import io
import os
import socket
import subprocess
import sys
import time
import uuid
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import numpy as np
import pyarrow.csv
from astropy.io.votable import parse_single_table

BINARY2 = "application/x-votable+xml;serialization=BINARY2"
ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60
REALS = {"psflux", "psfluxerr", "snr"}


class Client:
    """One HTTP connection to a TAP service, kept as long as the service keeps it.

    Client ``number`` has an address of its own: what one address may ask for is limited.
    """

    def __init__(self, address: str, number: int = 0) -> None:
        parts = urlsplit(address)
        self.path = parts.path
        self.connection = http.client.HTTPConnection(
            str(parts.hostname), parts.port, timeout=600,
            source_address=(f"127.0.0.{number + 1}", 0),
        )  # fmt: skip

    def request(
        self, method: str, path: str, body: bytes | None = None, kind: str | None = None
    ) -> tuple[int, Any, bytes]:
        """Send one request; returns status, headers and body."""
        headers = {"Content-Type": kind} if kind else {}
        for again in (True, False):
            try:
                self.connection.request(method, path, body, headers)
                response = self.connection.getresponse()
                break
            except (http.client.RemoteDisconnected, ConnectionError):
                self.connection.close()  # the service does not keep connections for ever
                if not again:
                    raise
        return response.status, response.headers, response.read()

    def post(self, path: str, **given: str) -> tuple[int, Any, bytes]:
        """Post a form."""
        form = urlencode(given).encode()
        return self.request("POST", self.path + path, form, "application/x-www-form-urlencoded")

    def sync(self, query: str, form: str = "csv", at: str = "") -> bytes:
        """Ask and return the answer; ``at`` names an instant of ours."""
        status, _, body = self.post(
            f"{at}/sync", REQUEST="doQuery", LANG="ADQL", QUERY=query, RESPONSEFORMAT=form,
            FORMAT=form, MAXREC="2000000",
        )  # fmt: skip
        return _good(status, body)

    def joined(self, query: str, name: str, table: bytes) -> bytes:
        """Ask with a table that comes along."""
        given = {
            "REQUEST": "doQuery", "LANG": "ADQL", "QUERY": query, "RESPONSEFORMAT": "csv",
            "FORMAT": "csv", "MAXREC": "2000000", "UPLOAD": f"{name},param:{name}",
        }  # fmt: skip
        mark = uuid.uuid4().hex
        body = b"".join(
            f'--{mark}\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n'.encode()
            for k, v in given.items()
        )
        body += (
            f'--{mark}\r\nContent-Disposition: form-data; name="{name}"; filename="{name}.xml"\r\n'
            "Content-Type: application/x-votable+xml\r\n\r\n"
        ).encode() + table
        body += f"\r\n--{mark}--\r\n".encode()
        kind = f"multipart/form-data; boundary={mark}"
        status, _, found = self.request("POST", f"{self.path}/sync", body, kind)
        return _good(status, found)

    def job(self, query: str) -> float:
        """Make a job and run it; returns the seconds from PHASE=RUN until COMPLETED was told."""
        status, headers, body = self.post(
            "/async", REQUEST="doQuery", LANG="ADQL", QUERY=query, RESPONSEFORMAT="csv",
            FORMAT="csv",
        )  # fmt: skip
        if status != 303:
            raise SystemExit(f"no job was made: {status} {body[:500]!r}")
        place = urlsplit(headers["Location"]).path
        begin = time.perf_counter()
        self.request("POST", f"{place}/phase", b"PHASE=RUN", "application/x-www-form-urlencoded")
        while True:
            _, _, body = self.request("GET", f"{place}?WAIT=9")
            for phase in (b"COMPLETED", b"ERROR", b"ABORTED"):
                if phase + b"</" in body:
                    spent = time.perf_counter() - begin
                    if phase != b"COMPLETED":
                        raise SystemExit(f"the job ended as {phase.decode()}: {body[:2000]!r}")
                    self.request("DELETE", place)
                    return spent

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()


def _good(status: int, body: bytes) -> bytes:
    if status != 200:
        raise SystemExit(f"a query was refused with {status}: {body[:2000]!r}")
    return body


def table(answer: bytes, form: str = "csv") -> dict[str, Any]:
    """Columns of an answer, rows in the order of their values; names folded, NaN for NULL."""
    if form == "csv":
        found = pyarrow.csv.read_csv(io.BytesIO(answer))
        columns = {n.lower(): found[n].to_numpy(zero_copy_only=False) for n in found.column_names}
    else:
        read = parse_single_table(io.BytesIO(answer)).array
        columns = {
            n.lower(): read[n].filled(np.nan) if read[n].mask.any() else read[n].data
            for n in read.dtype.names
        }
    order = np.lexsort(list(columns.values())[::-1])
    return {name: values[order] for name, values in columns.items()}


def same(first: dict[str, Any], second: dict[str, Any]) -> bool:
    """Whether two tables hold the same rows: the same numbers, reals in single precision."""

    def equal(name: str, one: Any, other: Any) -> bool:
        if len(one) != len(other):
            return False
        if name in REALS:
            return np.array_equal(one.astype("f4"), other.astype("f4"), equal_nan=True)
        return one.dtype.kind == other.dtype.kind and np.array_equal(
            one, other, equal_nan=one.dtype.kind == "f"
        )

    return list(first) == list(second) and all(equal(n, v, second[n]) for n, v in first.items())


@dataclass
class Side:
    """A service: where it answers, and its process."""

    name: str
    address: str
    pid: int
    client: Client = field(init=False)

    def __post_init__(self) -> None:
        self.client = Client(self.address)

    def cpu(self) -> float:
        """CPU seconds of the process."""
        words = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def peak(self) -> float:
        """Largest memory the process has held [MB]."""
        for line in Path(f"/proc/{self.pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
        raise SystemExit("the system does not tell the memory of processes")


class Ours:
    """``skyledger serve`` in a process of its own."""

    def __init__(self, dsn: str, home: Path) -> None:
        with closing(socket.socket()) as found:
            found.bind(("127.0.0.1", 0))
            self.port = int(found.getsockname()[1])
        environment = os.environ | {
            "SKYLEDGER_HOME": str(home), "SKYLEDGER_DATABASE_URL": dsn, "OMP_NUM_THREADS": "1",
        }  # fmt: skip
        self.log = (home / "serve.log").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "cli.main", "serve", "--port", str(self.port), "--sessions",
             "20"], cwd=ROOT, env=environment, stdout=self.log, stderr=self.log,
        )  # fmt: skip
        until = time.monotonic() + START_SECONDS
        while True:
            with closing(socket.socket()) as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            if self.process.poll() is not None or time.monotonic() > until:
                said = (home / "serve.log").read_text(errors="replace")
                raise SystemExit(f"the service does not start: {said}")
            time.sleep(0.1)

    @property
    def address(self) -> str:
        """Address of its TAP service."""
        return f"http://127.0.0.1:{self.port}/tap/prompt"

    def stop(self) -> None:
        """End the service."""
        self.process.terminate()
        self.process.wait()
        self.log.close()
