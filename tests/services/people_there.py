"""People with tokens in the database of a service under test, and requests in their name."""

import contextlib
from dataclasses import dataclass

import httpx
import psycopg2

from skyledger import people

# One for all requests: making one costs more than most requests do.
_CLIENT = httpx.Client(timeout=60, limits=httpx.Limits(max_connections=None))


@dataclass(frozen=True)
class Somebody:
    """A person, the token, and the service to which requests go."""

    name: str
    token: str
    address: str

    @property
    def schema(self) -> str:
        return f"mydb_{self.name}"

    @property
    def headers(self) -> dict:
        return {"Authorization": f"Bearer {self.token}"}

    def send(self, method, path, **given):
        """Send a request in the person's name."""
        headers = self.headers | given.pop("headers", {})
        return _CLIENT.request(method, f"{self.address}{path}", headers=headers, **given)

    def get(self, path, **given):
        return self.send("GET", path, **given)

    def ask(self, query, database="prompt", **parameters):
        """Put a query; returns the response."""
        given = {"LANG": "ADQL", "QUERY": query, "FORMAT": "csv"} | parameters
        return self.send("POST", f"/tap/{database}/sync", data=given)

    def rows(self, query, database="prompt", **parameters):
        """Rows of an answer as lists of text, without the header."""
        response = self.ask(query, database, **parameters)
        assert response.status_code == 200, response.text
        return [line.split(",") for line in response.text.splitlines()[1:]]

    def put(self, name, content=b"a,b\n1,2\n3,4\n", kind="text/csv", **parameters):
        """Make a table."""
        return self.send(
            "PUT", f"/mydb/{name}", content=content, params=parameters,
            headers={"Content-Type": kind},
        )  # fmt: skip

    def job(self, query, **parameters):
        """Make a job that runs at once; returns its path."""
        given = {"LANG": "ADQL", "QUERY": query, "FORMAT": "csv", "PHASE": "RUN"} | parameters
        response = self.send("POST", "/tap/prompt/async", data=given)
        assert response.status_code == 303, response.text
        return response.headers["location"].removeprefix(self.address)

    def ended(self, job):
        """Wait for the end of a job; returns its phase."""
        while True:
            phase = self.get(f"{job}/phase").text
            if phase not in {"PENDING", "QUEUED", "EXECUTING"}:
                return phase
            self.get(job, params={"WAIT": "5", "PHASE": phase})


def add(service, name, **allotted):
    """Add a person to the database of a service; returns who can ask."""
    with contextlib.closing(psycopg2.connect(service.dsn)) as connection:
        people.add_person(connection, name, **({"per_minute": 10_000} | allotted))
        token, _ = people.add_token(connection, name, "test", 1)
        connection.commit()
    return Somebody(name, token, service.address)
