"""A real HTTP server that answers as the APIs of Meta and LinkedIn do, for as long as a test runs."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "graph-token-1"


class Graph:
    """What it knows of leads by path, what it was asked, and how it behaves: `status`, or a `body`, or a wait before the answer."""

    def __init__(self) -> None:
        self.known: dict[str, Any] = {}
        self.asked: list[tuple[str, dict[str, list[str]], dict[str, str]]] = []
        self.status = 200
        self.body: bytes | None = None
        self.location = ""
        self.wait_s = 0.0
        self.address = ""

    @property
    def host(self) -> str:
        return self.address.removeprefix("http://")

    def meta(self, lead: str, *, version: str = "v23.0", **changed: Any) -> None:
        """A lead that Meta knows; `answers`: question -> value."""
        answers = changed.pop(
            "answers", {"full_name": "Ada Rossi", "email": f"ada{lead}@rossi.example", "phone_number": "+39066982"}
        )
        told = {
            "id": lead,
            "created_time": "2025-12-31T23:58:20+0000",
            "ad_id": "2",
            "campaign_id": "77",
            "form_id": "1",
            "field_data": [{"name": name, "values": [value]} for name, value in answers.items()],
            "is_organic": False,
        }
        self.known[f"/{version}/{lead}"] = {**told, **changed}

    def linkedin(self, lead: str, **changed: Any) -> None:
        questions = [
            {"questionId": 1, "name": "first", "predefinedField": "FIRST_NAME"},
            {"questionId": 2, "name": "last", "predefinedField": "LAST_NAME"},
            {"questionId": 3, "name": "mail", "predefinedField": "WORK_EMAIL"},
        ]
        answers = [
            {"questionId": number, "answerDetails": {"textQuestionAnswer": {"answer": text}}}
            for number, text in ((1, "Ada"), (2, "Rossi"), (3, "ada@rossi.example"))
        ]
        told = {
            "id": lead,
            "submittedAt": 1767225500000,
            "testLead": False,
            "form": {"content": {"questions": questions}},
            "leadMetadata": {"sponsoredLeadMetadata": {"campaign": "urn:li:sponsoredCampaign:321"}},
            "formResponse": {"answers": answers, "consentResponses": [{"consentId": 5, "accepted": True}]},
        }
        self.known[f"/rest/leadFormResponses/{lead}"] = {**told, **changed}


@contextmanager
def serving() -> Iterator[Graph]:
    graph = Graph()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            graph.asked.append((parts.path, parse_qs(parts.query), {name.lower(): value for name, value in self.headers.items()}))
            time.sleep(graph.wait_s)
            found = graph.known.get(parts.path)
            status, body = graph.status, graph.body
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                status, body = 400, b'{"error": {"code": 190, "type": "OAuthException"}}'
            elif found is None and body is None and status == 200:
                status, body = 404, b'{"error": {"code": 100}}'
            raw = json.dumps(found).encode() if body is None else body
            self.send_response(status)
            if graph.location:
                self.send_header("Location", graph.location)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_request(self, *_: Any) -> None:
            """Its log is nobody's."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    graph.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield graph
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
