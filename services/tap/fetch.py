"""Tables that are fetched from an address: ``UPLOAD=mine,https://...``.

The service must not be a way into its own network, so it connects to public addresses only, unless
its operator names hosts; the address that was looked at is the one that is connected to.
"""

import http.client
import ipaddress
import socket
import ssl
from collections.abc import Collection
from time import monotonic
from urllib.parse import SplitResult, urljoin, urlsplit

from skyledger.errors import UploadRefusedError

_REDIRECTS = 3
_PIECE = 1 << 16


def _public(host: str, port: int, allowed: Collection[str]) -> str:
    """Resolve a host to an address that may be connected to."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise UploadRefusedError(
            f"the host {host!r} of an UPLOAD is not known ({error}); send the table with the "
            f"request: NAME,param:PART"
        ) from error
    addresses = [str(entry[4][0]) for entry in found]
    if host in allowed:
        return addresses[0]
    for address in addresses:
        if not ipaddress.ip_address(address.partition("%")[0]).is_global:
            raise UploadRefusedError(
                f"the host {host!r} of an UPLOAD is in a private network ({address}), from which "
                f"nothing is fetched; send the table with the request: NAME,param:PART"
            )
    return addresses[0]


def _connection(parts: SplitResult, allowed: Collection[str], seconds: float) -> (
    http.client.HTTPConnection
):  # fmt: skip
    host = parts.hostname or ""
    secure = parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    connected = socket.create_connection((_public(host, port, allowed), port), timeout=seconds)
    connection = http.client.HTTPConnection(host, port, timeout=seconds)
    if secure:
        connected = ssl.create_default_context().wrap_socket(connected, server_hostname=host)
    connection.sock = connected
    return connection


def fetch(
    address: str, *, most: int, seconds: float = 30.0, allowed: Collection[str] = ()
) -> tuple[str | None, bytes]:
    """Fetch a file.

    Parameters
    ----------
    address : str
        ``http`` or ``https`` URL.
    most : int
        Bytes at most.
    seconds : float
        Time at most [s].
    allowed
        Hosts that may be in a private network.

    Returns
    -------
    media type, content

    Raises
    ------
    UploadRefusedError
        If it cannot be had, is too large or takes too long, or lies in a private network.
    """
    until = monotonic() + seconds
    for _ in range(_REDIRECTS + 1):
        parts = urlsplit(address)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise UploadRefusedError(
                f"UPLOAD names {address[:200]!r}; write an http or https address, or param:PART"
            )
        try:
            connection = _connection(parts, allowed, seconds)
            try:
                target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
                connection.request("GET", target, headers={"Accept-Encoding": "identity"})
                response = connection.getresponse()
                if response.status in {301, 302, 303, 307, 308}:
                    address = urljoin(address, response.getheader("Location") or "")
                    continue
                if response.status != 200:
                    raise UploadRefusedError(
                        f"{address[:200]} answers {response.status} {response.reason}; check the "
                        f"address, or send the table with the request"
                    )
                return response.getheader("Content-Type"), _read(response, address, most, until)
            finally:
                connection.close()
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise UploadRefusedError(
                f"{address[:200]} cannot be fetched ({error}); send the table with the request"
            ) from error
    raise UploadRefusedError(
        f"{address[:200]}: there are more than {_REDIRECTS} redirections; name the last address"
    )


def _read(
    response: http.client.HTTPResponse, address: str, most: int, until: float
) -> bytes:  # fmt: skip
    found = bytearray()
    while piece := response.read(_PIECE):
        found += piece
        if len(found) > most:
            raise UploadRefusedError(
                f"{address[:200]} is larger than {most:,} bytes; send a smaller table"
            )
        if monotonic() > until:
            raise UploadRefusedError(
                f"{address[:200]} takes too long; send the table with the request"
            )
    return bytes(found)
