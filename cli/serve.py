"""``skyledger serve``: TAP and the pages about it, on one port."""

import logging
import socket
from typing import Annotated

import typer
import uvicorn

from cli.common import archive
from services import background as in_background
from services import web
from services.people import Allowance
from skyledger import __version__, settings
from skyledger.database.cluster import Cluster
from skyledger.errors import ConfigurationError

app = typer.Typer()


@app.command()
def serve(
    host: Annotated[
        str, typer.Option(help="Address to listen at; 0.0.0.0 lets other machines in.")
    ] = web.HOST,
    port: Annotated[int, typer.Option(help="Port to listen at.")] = web.PORT,
    sessions: Annotated[int, typer.Option(help="Queries that run at the same time.", min=1)] = 16,
    workers: Annotated[int, typer.Option(help="Jobs that run at the same time.", min=1)] = 2,
    *,
    anonymous_queries: Annotated[
        int,
        typer.Option(
            help="Queries of an address that run at the same time, without a token; 0: no limit.",
            min=0,
        ),
    ] = 8,
    anonymous_per_minute: Annotated[
        int,
        typer.Option(
            help="Queries that an address may begin in a minute, without a token; 0: no limit.",
            min=0,
        ),
    ] = 0,
    proxy: Annotated[
        str | None,
        typer.Option(
            help="Address of a proxy in front, whose X-Forwarded-For and -Proto are believed."
        ),
    ] = None,
    background: Annotated[
        bool, typer.Option("--background", help="Return when it answers; --stop ends it.")
    ] = False,
    stop: Annotated[
        bool, typer.Option("--stop", help="Stop the one that runs in the background.")
    ] = False,
) -> None:
    """Answer queries over the network: TAP 1.1 with ADQL 2.1, at any instant."""
    configured = settings.read()
    if stop:
        ended = in_background.stop(configured.home)
        print(f"service of {configured.home} {'stopped' if ended else 'was not running'}")
        return
    if background:
        configured.home.mkdir(parents=True, exist_ok=True)
        options: dict[str, object] = {
            "host": host, "port": port, "sessions": sessions, "workers": workers,
            "anonymous-queries": anonymous_queries, "anonymous-per-minute": anonymous_per_minute,
        }  # fmt: skip
        if proxy is not None:
            options["proxy"] = proxy
        address = in_background.start(
            configured.home, [f"--{name}={value}" for name, value in options.items()]
        )
        print(f"Skyledger answers at {address}; skyledger serve --stop stops it")
        return
    if configured.external is None:
        Cluster(configured.home).start()
    with archive():
        pass
    listener = _listen(host, port)
    logging.getLogger("uvicorn.access").setLevel(logging.WARNING)
    shown = "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104 - compared only
    print(
        f"Skyledger answers at http://{shown}:{port}/ (TAP: http://{shown}:{port}/tap/prompt)",
        flush=True,
    )
    config = uvicorn.Config(
        web.create(
            configured.home / "jobs",
            sessions=sessions,
            workers=workers,
            anonymous=Allowance(anonymous_queries or None, anonymous_per_minute or None),
        ),
        proxy_headers=proxy is not None,
        forwarded_allow_ips=proxy,
        log_config=None,
        access_log=False,
        server_header=False,
        headers=[("Server", f"Skyledger/{__version__}")],
        timeout_keep_alive=15,
        timeout_graceful_shutdown=10,
    )
    uvicorn.Server(config).run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    """Take the port before anything is started."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        raise ConfigurationError(
            f"port {port} of {host} cannot be used ({error.strerror}); give another one with "
            f"--port, or stop the service that has it"
        ) from error
    # Connections inherit it. Without it the second part of a small answer waits for 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
