"""Who may talk to the server: pages that it served itself, on this machine or with the token."""

import hmac
import ipaddress
import secrets
from collections.abc import Iterable
from http.cookies import SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_COOKIE = "terrashot"
_LARGEST = 4 * 2**20
"""Bytes of a request."""
_HEADERS = {
    # Everything comes from this server; Leaflet moves things by styles that it sets itself.
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def new_token(host: str) -> str | None:
    """What a browser has to know where others can reach the server; None: nothing."""
    return None if is_loopback(host) else secrets.token_urlsafe(24)


class Guard:
    """Turns away what does not come from the page.

    A page of another site that has its name point to this machine (DNS rebinding) is known by the
    name that it asks for, and one that sends requests here by its origin.

    Args:
        app: What is guarded.
        hosts: Names under which it may be asked for, without port; none given: any, which takes a
            token.
        token: What has to come with a request; None: nothing.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str] | None, token: str | None) -> None:
        if hosts is None and token is None:
            raise ValueError("a server that answers to any name needs a token")
        self._app = app
        self._hosts = None if hosts is None else {host.strip("[]").lower() for host in hosts}
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or hand on."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        headers = Headers(scope=scope)
        answer = self._refusal(scope, headers)
        if answer is None and self._token is not None and not self._knows(headers):
            given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
            if _same(given, self._token):
                answer = RedirectResponse(scope["path"], 303)
                answer.set_cookie(_COOKIE, self._token, httponly=True, samesite="strict")
            else:
                answer = _refuse(403, "Open the address with the token that the server printed.")
        await (answer or self._app)(scope, receive, with_headers)

    def _refusal(self, scope: Scope, headers: Headers) -> JSONResponse | RedirectResponse | None:
        host = headers.get("host", "")
        if self._hosts is not None and _name(host) not in self._hosts:
            return _refuse(421, "This server does not answer to that name.")
        if scope["method"] in ("GET", "HEAD"):
            return None
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2].lower() != host.lower():
            return _refuse(403, "Requests of other sites are not answered.")
        if headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return _refuse(415, "A request holds JSON.")
        length = headers.get("content-length", "")
        if not length.isdigit() or int(length) > _LARGEST:
            return _refuse(413, "The request is too large.")
        return None

    def _knows(self, headers: Headers) -> bool:
        found = SimpleCookie(headers.get("cookie", "")).get(_COOKIE)
        return found is not None and _same(found.value, str(self._token))


def _name(host: str) -> str:
    """A host without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())


def _refuse(status: int, text: str) -> JSONResponse:
    return JSONResponse({"error": text, "kind": "refused"}, status)
