"""The explorer's server: gives the page, and answers it from models that a browser cannot run.

It takes states, never names of files, and draws them itself; a visitor's own image is kept in memory only. By
default only this machine reaches it, and only its own page is answered: others that are open in the same browser
are distinguished by Host and Origin.
"""

import asyncio
import ipaddress
import json
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn import Config, Server

from configural.errors import ConfiguralError
from configural.explorer.asking import ModelFailedError, Panel
from configural.explorer.state import Question
from configural.explorer.visitors import SentExemplar, parts_in
from configural.portraits.landmarks import Landmarker

USUAL_PORT = 8042
"""Where the explorer is, if that is free and no other is asked for."""

LARGEST_BODY = 2**20
"""Bytes of a question: about 1,500 states."""

LARGEST_IMAGE, LARGEST_EXEMPLAR = 3 * 2**20, 6 * 2**20
"""Bytes of an image of 1,024 pixels along an edge, and of what the page cuts out of it, 512 pixels along an edge
with parts that each cover all of it: of noise alone they are 2.4 and 5.2 MiB."""

_IMAGE_COSTS = 256
"""States that an image counts for in what may be asked, so that nobody keeps the models waiting with images."""

STATES_PER_SECOND, STATES_AT_ONCE = 1024, 4096
"""Images that may be asked about in the long run, and in a burst such as a map's."""

_WAITING = 16
"""Questions that may wait for the models, which are asked one after the other."""

_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


def application(
    page: str,
    bundle: Mapping[str, Any],
    panel: Panel,
    *,
    host: str = "127.0.0.1",
    landmarker: Landmarker | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Starlette:
    """The explorer as an ASGI application.

    Args:
        page: The page, as HTML.
        bundle: What it shows.
        panel: The models that respond.
        host: The address it is served at; others, but for names of this machine, are refused.
        landmarker: What finds the parts of a face in a visitor's image; without it, nothing does.
        clock: Seconds, for the limit of states per second.
    """
    held = {**bundle, "landmarks": landmarker is not None}
    shown = json.dumps(held, ensure_ascii=False, allow_nan=False).encode()
    allowance, thread = Allowance(clock), _Thread()

    async def home(request: Request) -> Response:
        return Response(page, media_type="text/html")

    async def give_bundle(request: Request) -> Response:
        return Response(shown, media_type="application/json")

    async def ask(states: int, function: Callable[..., Any], *given: Any) -> Any:
        """What a function gives, in its turn and if not too much is asked."""
        if thread.waiting >= _WAITING or not allowance.take(states):
            raise HTTPException(429, "too many questions at once; ask again in a second", {"retry-after": "1"})
        try:
            return await thread.call(function, *given)
        except asyncio.CancelledError:
            raise HTTPException(503, "the server has ended") from None

    async def respond(request: Request) -> Response:
        _require_type(request, "application/json")
        question = Question.parse(await request.body())
        said = await ask(len(question.states), panel.log_odds, question.states)
        models = [{"name": name, "log_odds": values.tolist()} for name, values in said.items()]
        return JSONResponse({"models": models})

    async def find_parts(request: Request) -> Response:
        _require_type(request, "image/png", "image/jpeg")
        content = await request.body()
        return JSONResponse({"found": landmarker and await ask(_IMAGE_COSTS, parts_in, content, landmarker)})

    async def add(request: Request) -> Response:
        _require_type(request, "application/json")
        content = await request.body()
        return JSONResponse({"name": await ask(_IMAGE_COSTS, lambda: panel.add(SentExemplar.parse(content)))})

    def post(path: str, endpoint: Callable[[Request], Awaitable[Response]], largest: int) -> Route:
        limit = Middleware(RequestBodyLimitMiddleware, max_body_size=largest)
        return Route(path, endpoint, methods=["POST"], middleware=[limit])

    return Starlette(
        routes=[
            Route("/", home),
            Route("/bundle.json", give_bundle),
            post("/responses", respond, LARGEST_BODY),
            post("/parts", find_parts, LARGEST_IMAGE),
            post("/exemplars", add, LARGEST_EXEMPLAR),
        ],
        middleware=[Middleware(_Guard, host=host)],
        exception_handlers={
            ModelFailedError: lambda request, error: _refusal(502, str(error)),
            ConfiguralError: lambda request, error: _refusal(422, str(error)),
            HTTPException: _refused,
        },
    )


def _require_type(request: Request, *types: str) -> None:
    if request.headers.get("content-type", "").partition(";")[0].strip() not in types:
        raise HTTPException(415, f"what is sent must be {' or '.join(types)}")


@dataclass
class Allowance:
    """How many states may still be asked about; it fills up again with time."""

    clock: Callable[[], float]
    left: float = STATES_AT_ONCE
    last: float = field(init=False)

    def __post_init__(self) -> None:
        self.last = self.clock()

    def take(self, states: int) -> bool:
        """Take so many, if there are."""
        now = self.clock()
        self.left = min(STATES_AT_ONCE, self.left + STATES_PER_SECOND * (now - self.last))
        self.last = now
        if states > self.left:
            return False
        self.left -= states
        return True


class _Thread:
    """One thread that does one thing after the other; nobody waits for it when the process ends."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[tuple[Future[Any], Callable[..., Any], tuple[Any, ...]]] = SimpleQueue()
        threading.Thread(target=self._work, daemon=True).start()

    @property
    def waiting(self) -> int:
        """How many calls nobody has begun yet."""
        return self._jobs.qsize()

    async def call(self, function: Callable[..., Any], *given: Any) -> Any:
        """What a function gives."""
        future: Future[Any] = Future()
        self._jobs.put((future, function, given))
        return await asyncio.wrap_future(future)

    def _work(self) -> None:
        while True:
            future, function, given = self._jobs.get()
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(function(*given))
                except BaseException as error:
                    future.set_exception(error)


class _Guard:
    """Refuses whatever another page sends, and adds the headers that keep others out of this one."""

    def __init__(self, app: ASGIApp, host: str) -> None:
        self.app, self.host = app, host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                guarding = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
                message = {**message, "headers": [*message.get("headers", ()), *guarding]}
            await send(message)

        problem = self._problem(Headers(scope=scope))
        answer = self.app if problem is None else _refusal(403, problem)
        await answer(scope, receive, send_guarded)

    def _problem(self, headers: Headers) -> str | None:
        asked, origin = headers.get("host", ""), headers.get("origin")
        if not self._is_ours(_host_of(f"http://{asked}")):
            return "this server is reached by another name"
        # A browser sends the origin with whatever a page posts; if it is not the host, the page is not ours.
        if origin is not None and urlsplit(origin).netloc.lower() != asked.lower():
            return "only the explorer's own page is answered"
        return None

    def _is_ours(self, name: str) -> bool:
        """No name but those of this machine, since any name could be made to lead here by whoever owns it."""
        if name in ("localhost", self.host.lower()):
            return True
        address = _address(name)
        if not is_loopback(self.host):
            machine = socket.gethostname().lower()
            return address is not None or name in (machine, f"{machine}.local")
        return address is not None and address.is_loopback


def _host_of(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def is_loopback(host: str) -> bool:
    """Whether nobody but this machine reaches an address."""
    address = _address(host)
    return host == "localhost" if address is None else address.is_loopback


def _refusal(status: int, why: str, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"error": why}, status, headers)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _refusal(error.status_code, error.detail, error.headers)


def listening(host: str, port: int | None) -> socket.socket:
    """A socket that listens at an address of this machine.

    Args:
        host: A name or an address.
        port: By default the usual one, or any that is free if it is taken.

    Raises:
        ConfiguralError: If the address is none of this machine, or the port is taken or not allowed.
    """
    if port is not None and not 0 <= port <= 65535:
        raise ConfiguralError(f"port {port}: must be from 1 to 65535, or 0 for any that is free")
    nowhere = f"host '{host}': no address of this machine"
    try:
        family, *_, (address, *_) = socket.getaddrinfo(host, port or 0, type=socket.SOCK_STREAM)[0]
        socket.create_server((str(address), 0), family=family).close()  # whether any port can be had there
    except (OSError, UnicodeError) as error:
        raise ConfiguralError(nowhere) from error
    try:
        return socket.create_server((str(address), USUAL_PORT if port is None else port), family=family)
    except PermissionError as error:
        raise ConfiguralError(f"port {port}: not allowed to you; name one from 1024 on") from error
    except OSError as error:
        if port is not None:
            raise ConfiguralError(f"port {port}: taken by another program; name another, or none") from error
    return socket.create_server((str(address), 0), family=family)


def address_of(server: socket.socket, host: str) -> str:
    """Where a browser on this machine finds it."""
    port = server.getsockname()[1]
    name = "127.0.0.1" if host in ("0.0.0.0", "::", "") else host
    return f"http://[{name}]:{port}/" if ":" in name else f"http://{name}:{port}/"


def serve(app: Starlette, listener: socket.socket, *, started: Callable[[], object] = lambda: None) -> None:
    """Serve until Ctrl-C, or until the terminal is closed; then raise KeyboardInterrupt.

    Args:
        app: See `application`.
        listener: See `listening`.
        started: Called, in a thread of its own, when it listens.
    """
    config = Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        limit_concurrency=128,
        timeout_graceful_shutdown=2,
    )
    threading.Thread(target=started, daemon=True).start()
    Server(config).run(sockets=[listener])
