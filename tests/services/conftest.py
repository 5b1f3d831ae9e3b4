"""The web application over a small survey, on a real port of a real server."""

from collections.abc import Iterator

import numpy as np
import psycopg2
import pytest
from small_survey import IMAGES, MJD, SOURCES, Desk, Service, positions, serving, source_rows


@pytest.fixture(scope="session")
def service(server, template, tmp_path_factory) -> Iterator[Service]:
    """Yield the application over three visits of one field, a day apart."""
    opened = psycopg2.connect(server.dsn("postgres"))
    opened.autocommit = True
    with opened.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE service TEMPLATE {template}")
    opened.close()
    dsn = server.dsn("service")
    connection = psycopg2.connect(dsn)
    ra, dec = positions()
    desk = Desk(connection, IMAGES)
    epochs = tuple(
        desk.publish(k, source_rows(k, ra, dec, 100.0 * k + np.arange(SOURCES), MJD + k), MJD + k)
        for k in (1, 2, 3)
    )
    connection.close()
    with serving(dsn, tmp_path_factory.mktemp("jobs")) as (address, application):
        yield Service(address, dsn, epochs, application)
