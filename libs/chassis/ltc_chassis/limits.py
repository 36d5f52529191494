"""Requests are bounded in size before anything reads them."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ltc_chassis.errors import problem


class BodyLimit:
    """ASGI middleware: a body over the limit gets 413, whether it announces its length or not."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        too_large = problem(413, "body-too-large", "Too large", f"at most {self._max} bytes are accepted here")
        if not announced.isdigit() or int(announced) > self._max:
            await too_large(scope, receive, send)
            return
        if announced != b"0" or b"transfer-encoding" not in dict(scope["headers"]):
            await self._app(scope, receive, send)
            return
        # Chunked: read it here, up to the limit, and hand it on in one piece.
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return
            body += message.get("body", b"")
            if len(body) > self._max:
                await too_large(scope, receive, send)
                return
            if not message.get("more_body"):
                break
        handed = False

        async def whole() -> Message:
            nonlocal handed
            if handed:
                return await receive()
            handed = True
            return {"type": "http.request", "body": bytes(body), "more_body": False}

        await self._app(scope, whole, send)
