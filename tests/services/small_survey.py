"""The web application on a real port, and the small survey that its tests ask about."""

import asyncio
import contextlib
import socket
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import pytest
import uvicorn

from services import web

sys.path.append(str(Path(__file__).parent.parent / "database"))
from test_ledger import MJD, Desk, source_rows

__all__ = ["MJD", "Desk", "source_rows"]

CENTRE = (150.0, 2.0)
SOURCES = 40
IMAGES = {
    "footprint": np.array([[9.9, -0.1, 10.1, -0.1, 10.1, 0.1, 9.9, 0.1]]),
    "pviPath": ["simulated/pvi.fits"],
    "differencePath": ["simulated/difference.fits"],
}


@dataclass(frozen=True)
class Service:
    """Where the application listens, and the epochs of the visits in its database."""

    address: str
    dsn: str
    epochs: tuple
    app: object

    @property
    def tap(self) -> str:
        return f"{self.address}/tap/prompt"

    def ask(self, query, database="prompt", **parameters):
        """Put a query by POST; returns the response."""
        given = {"LANG": "ADQL", "QUERY": query, "FORMAT": "csv"} | parameters
        return httpx.post(f"{self.address}/tap/{database}/sync", data=given, timeout=60)

    def rows(self, query, database="prompt", **parameters):
        """Rows of an answer as lists of text, without the header."""
        response = self.ask(query, database, **parameters)
        assert response.status_code == 200, response.text
        return [line.split(",") for line in response.text.splitlines()[1:]]


def positions(seed=1):
    """Places of the objects of the survey [deg]: those of a field of 0.2 deg."""
    rng = np.random.default_rng(seed)
    return CENTRE[0] + rng.uniform(-0.1, 0.1, SOURCES), CENTRE[1] + rng.uniform(-0.1, 0.1, SOURCES)


@contextlib.contextmanager
def serving(dsn: str, folder: Path, **options: int) -> Iterator[tuple[str, object]]:
    """Run the application in a thread of this process; yields its address and the application."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SKYLEDGER_DATABASE_URL", dsn)
        application = web.create(folder, **options)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(application, log_config=None, lifespan="on"))
    thread = threading.Thread(
        target=lambda: asyncio.run(server.serve(sockets=[listener])), daemon=True
    )
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.02)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", application
    finally:
        server.should_exit = True
        thread.join(timeout=20)
        listener.close()
