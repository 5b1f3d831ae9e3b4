"""Databases shared by several files of tests: each is made once, and only read."""

from collections.abc import Iterator

import pytest
from adql_desk import Desk, desk_of

from skyledger.database.cluster import Cluster


@pytest.fixture(scope="session")
def sky(server: Cluster, template: str) -> Iterator[Desk]:
    """Yield a reader's desk where it matters how a query is planned."""
    sizes = {"months": 2, "sources": 12_000, "objects": 20_000, "visits": 60}
    with desk_of(server, template, "adql", **sizes) as found:
        yield found


@pytest.fixture(scope="session")
def small_sky(server: Cluster, template: str) -> Iterator[Desk]:
    """Yield a reader's desk where everything may be joined with everything."""
    sizes = {"months": 1, "sources": 12, "objects": 6, "visits": 3}
    with desk_of(server, template, "adqlsmall", **sizes) as found:
        yield found
