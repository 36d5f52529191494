"""docs/problems.md: every `type` that the suite answers, from the code. `python -m tests.house.problems` writes the page."""

import importlib
import inspect
import pkgutil
import sys
from collections.abc import Iterator
from pathlib import Path

from ltc_chassis import errors
from ltc_contracts.errors import DomainError

PAGE = Path(__file__).parents[2] / "docs" / "problems.md"
PACKAGES = (
    "ltc_contracts", "ltc_rules", "ltc_chassis", "lead_svc", "sales_svc", "order_svc", "delivery_svc", "billing_svc", "metrics_svc",
)  # fmt: skip
# What the edge answers by itself: no rule of a service, so no class.
OF_THE_EDGE = {
    "malformed-request": (
        422,
        "The request has not the shape that /openapi.json describes; `errors` names each field with its reason.",
    ),
    "unreadable-body": (400, "The body could not be read as what its Content-Type says (not JSON, a broken form, too deep)."),
    "no-such-route": (404, "There is no such path."),
    "method-not-allowed": (405, "The path takes another method; `Allow` names it."),
    "concurrent-change": (409, "Another request changed the same object at the same moment; nothing was done."),
    "database-unavailable": (503, "The database cannot be reached; nothing is known to be done."),
    "internal-error": (500, "A defect on our side; it is logged under the trace id of the request."),
    "http-error": (400, "The request was refused before it reached a route; the status tells the kind."),
}
# What a caller does about a status; a rule's own words may say more.
NEXT = {
    400: "Correct what `field` names, and send it again.",
    401: "Send a valid token: `Authorization: Bearer ...`.",
    403: "Use a token with the scope that `detail` names, or ask somebody who may.",
    404: "Check the id or the link; what was deleted or erased does not come back.",
    405: "Use the method that the documentation shows.",
    409: "Read the object again and decide anew; the same request again is refused again, unless the state changes.",
    410: "Ask for a new link.",
    413: "Send less at a time.",
    422: "Correct the fields that `errors` names; the same request again is refused again.",
    429: "Wait as many seconds as `Retry-After` says.",
    500: "Report it with the trace id; repeat it with the same `Idempotency-Key` if it may have been passing.",
    503: "Repeat it after `Retry-After` seconds, with the same `Idempotency-Key` if it changes something.",
}
NEXT_OF = {
    "concurrent-change": "Repeat the request.",
    "not-yet": "Repeat it later: something that it builds on is still on its way.",
    "idempotency-key-reused": "Draw a new key for each request that is not a repetition.",
}


def load() -> None:
    """Import every module of the suite, so that every error is known."""
    for name in PACKAGES:
        package = importlib.import_module(name)
        for module in pkgutil.walk_packages(package.__path__, f"{name}."):
            # Programs and the tests' own errors are none that anybody is answered.
            if "tests" not in module.name.split(".") and not module.name.endswith("__main__") and ".testing" not in module.name:
                importlib.import_module(module.name)


def classes() -> list[type[DomainError]]:
    """Every error of the suite that can be answered."""

    def below(kind: type[DomainError]) -> Iterator[type[DomainError]]:
        for each in kind.__subclasses__():
            yield each
            yield from below(each)

    load()
    found = {
        each
        for each in below(DomainError)
        if each.__module__.split(".")[0] in PACKAGES and "tests" not in each.__module__.split(".")
    }
    return sorted(found, key=lambda each: (each.slug(), each.__module__))


def types() -> dict[str, tuple[int, list[str], str]]:
    """By slug: status, where it comes from, meaning."""
    made = {slug: (status, ["every service"], meaning) for slug, (status, meaning) in OF_THE_EDGE.items()}
    for each in classes():
        package = each.__module__.split(".")[0]
        owner = package.replace("_", "-") if package.endswith("_svc") else "every service"
        meaning = " ".join((inspect.getdoc(each) or "").split("\n\n")[0].split())
        if each.slug() in made:
            status, owners, said = made[each.slug()]
            made[each.slug()] = (status, owners if owner in owners else [*owners, owner], said)
        else:
            made[each.slug()] = (errors.STATUS[each.kind], [owner], meaning)
    return dict(sorted(made.items()))


def page() -> str:
    """The page."""
    lines = [
        "# Problems",
        "",
        "Every refusal is `application/problem+json` (RFC 9457). `type` is `urn:ltc:problem:<name>` and never changes its meaning;",
        "`detail` is for people and may. `field` names what to correct. Written by `make problems` from the code; `make test` fails",
        "when it is out of date.",
        "",
        "| name | status | from | meaning | what to do |",
        "|---|---|---|---|---|",
    ]
    for slug, (status, owners, meaning) in types().items():
        cells = (f"`{slug}`", str(status), ", ".join(owners), meaning.replace("|", "\\|"), NEXT_OF.get(slug, NEXT[status]))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    if sys.argv[1:] == ["check"]:
        sys.exit(None if PAGE.read_text() == page() else "docs/problems.md is out of date: run `make problems` and commit it")
    PAGE.write_text(page())
