"""Who asks: the token of a request, the person it belongs to, and what is allotted to him.

A token comes in the header ``Authorization``, as ``Bearer TOKEN`` or, for programs that know names
and passwords only, as ``Basic`` with the person's name and the token for a password. Nobody is
anybody by mistake: a token that is wrong, over or of another person is refused.
"""

import base64
import binascii
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request, cookie_parser
from starlette.types import ASGIApp, Receive, Scope, Send

from skyledger.errors import ForbiddenError, SignInError, UsageError
from skyledger.people import Person

COOKIE = "skyledger_token"  # holds the token of somebody who signed in on a page
CHALLENGES = ('Basic realm="Skyledger", charset="UTF-8"', 'Bearer realm="Skyledger"')
_TOKEN = re.compile(r"sky_[A-Za-z0-9_-]{43}", re.ASCII)
# Also one that was cut or lengthened is nobody else's to see.
_SECRET = re.compile(r"sky_[A-Za-z0-9_-]{16,}", re.ASCII)
_NEXT = (
    "send the header Authorization: Bearer TOKEN, or your name and the token for a password; the "
    "operators of the service give out tokens (skyledger people token NAME)"
)


@dataclass(frozen=True)
class Allowance:
    """Queries at the same time and in a minute; None for no limit."""

    at_once: int | None = None
    per_minute: int | None = None


FREE = Allowance()


@dataclass(frozen=True)
class Asker:
    """Who makes a request: a person, or somebody of whom only the address is known."""

    person: Person | None = None
    jobs: int = 0  # of the person that run now, in any process
    address: str = ""
    agent: str = ""

    @property
    def name(self) -> str | None:
        """Name of the person, if there is one."""
        return self.person.name if self.person else None

    @property
    def client(self) -> str:
        """Network address and program."""
        return f"{self.address} {hidden(self.agent)}"

    def must_be_known(self, what: str) -> Person:
        """Return the person.

        Raises
        ------
        SignInError
            If nobody is signed in; ``what`` says for what one has to be.
        """
        if self.person is None:
            raise SignInError(f"{what} is for people who are signed in; {_NEXT}")
        return self.person


def asker_of(request: Request) -> Asker:
    """Who makes a request."""
    return request.scope.get("asker") or Asker()


def hidden(text: str) -> str:
    """Text without the tokens in it, for logs and messages."""
    return _SECRET.sub("sky_(hidden)", text)


def refuse_secrets(values: Mapping[str, str] | list[tuple[str, str]]) -> None:
    """Refuse parameters that hold a token, since they are kept in logs, or what no text can hold.

    Raises
    ------
    UsageError
        Without saying the token.
    """
    pairs = values.items() if isinstance(values, Mapping) else values
    for name, value in pairs:
        if "\0" in value or "\0" in name:
            raise UsageError(f"the parameter {name[:40]!r} holds a zero byte; leave it out")
        if _TOKEN.search(value) or _TOKEN.search(name):
            raise UsageError(
                f"a token stands in the parameter {hidden(name)[:40]!r}, where others may see it; "
                f"have it revoked, take another one, and {_NEXT}"
            )


def token_of(headers: Headers) -> tuple[str | None, str] | None:
    """Name, where one is given, and token of a request; None without a token.

    Raises
    ------
    SignInError
        If the header is not understood or holds what cannot be a token.
    """
    given = headers.getlist("authorization")
    if not given:
        return None
    scheme, _, rest = given[0].strip().partition(" ")
    name: str | None = None
    token = rest.strip()
    if len(given) > 1 or scheme.lower() not in {"bearer", "basic"} or not token:
        raise SignInError(f"the header Authorization is not understood; {_NEXT}")
    if scheme.lower() == "basic":
        try:
            name, _, token = base64.b64decode(token, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise SignInError(f"the header Authorization: Basic is damaged; {_NEXT}") from None
    if not _TOKEN.fullmatch(token):
        raise SignInError(f"this is not a token of this service; {_NEXT}")
    return name, token


def refuse_borrowed(method: str, headers: Headers) -> None:
    """Refuse changes by pages of other sites, to which a browser has lent what it knows.

    Raises
    ------
    ForbiddenError
        If a page of another site sent the request.
    """
    changes = method not in {"GET", "HEAD", "OPTIONS"}
    origin = headers.get("origin")
    foreign = origin is not None and urlsplit(origin).netloc != headers.get("host")
    if changes and (foreign or headers.get("sec-fetch-site") == "cross-site"):
        raise ForbiddenError(
            "a page of another site sent this request in your name; if it was you, send it from a "
            "program, or from a page of this service"
        )


class SignIn:
    """ASGI middleware that finds out who asks, before anything else is done.

    Parameters
    ----------
    look_up
        Person to whom a token belongs, and how many jobs of his run; None if it is nobody's.
    refuse
        Makes a response of an error.
    """

    def __init__(
        self, app: ASGIApp, look_up: Callable[[str], Awaitable[tuple[Person, int] | None]],
        refuse: Callable[[Exception], ASGIApp],
    ) -> None:  # fmt: skip
        self.app = app
        self.look_up = look_up
        self.refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, with who asks."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            person, running = await self._person(headers)
            if person is not None:
                refuse_borrowed(scope["method"], headers)
        except Exception as error:  # noqa: BLE001 - said to the client
            await self.refuse(error)(scope, receive, send)
            return
        address = str(scope["client"][0]) if scope.get("client") else ""
        asker = Asker(person, running, address, headers.get("user-agent", ""))
        await self.app({**scope, "asker": asker}, receive, send)

    async def _person(self, headers: Headers) -> tuple[Person | None, int]:
        given = token_of(headers)
        kept = None if given else cookie_parser(headers.get("cookie", "")).get(COOKIE)
        if kept is not None and (not _TOKEN.fullmatch(kept) or await self.look_up(kept) is None):
            return None, 0  # a token that is over by now: the pages offer to sign in again
        if given is None and kept is not None:
            given = None, kept
        if given is None:
            return None, 0
        name, token = given
        found = await self.look_up(token)
        if found is None or (name and name != found[0].name):
            raise SignInError(
                f"the token is not known, is over, was revoked or belongs to somebody else; ask "
                f"the operators for another one and {_NEXT}"
            )
        return found
