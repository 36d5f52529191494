"""How much each route takes. A route that takes more than usual stands here with its reason: a new one is a decision."""

import pytest
from ltc_chassis.api import KB, MB, TransactionalRoute
from ltc_chassis.limits import PUBLIC
from ltc_chassis.pages import PublicRoute
from ltc_chassis.settings import ChassisSettings

from tests.house.routes import SERVICES, app_of, routes_of

USUAL = int(ChassisSettings.model_fields["max_body_bytes"].default)
LARGER = {
    ("lead", "POST /v1/leads/bulk"): 4 * MB,  # 1,000 leads
    ("lead", "POST /v1/badge-scans"): 4 * MB,  # 1,000 scans
    ("lead", "POST /v1/imports"): 21 * MB,  # a file of 20 MB
    ("lead", "POST /v1/campaign-spend/file"): MB + 64 * KB,  # a file of 1 MB
    ("delivery", "POST /v1/inbound-mails"): 10 * MB,  # a mail with attachments
    ("delivery", "POST /v1/deliveries/{delivery_id}/proofs"): 5 * MB,  # a photo
    ("delivery", "POST /v1/surveys/{code}/asks/file"): MB + 64 * KB,  # a file of 1 MB
    ("billing", "POST /v1/imports"): 21 * MB,  # a file of 20 MB
    ("billing", "POST /v1/bank-statements"): 21 * MB,  # a file of 20 MB
    ("billing", "POST /v1/exchange-rates/table"): 3 * MB,  # a file of 2 MB, 20,000 rows
    ("sales", "POST /v1/imports"): 21 * MB,  # a file of 20 MB
    ("sales", "POST /v1/price-books/{code}/import"): 8 * MB,  # 20,000 rows
}
# Open to everybody, and more than 64 KB all the same.
LARGER_IN_PUBLIC: dict[tuple[str, str], int] = {
    ("billing", "POST /in/payments/{code}"): 256 * KB,  # an event of a payment provider carries the whole object
    ("lead", "POST /in/{kind}/{key}"): 256 * KB,  # Meta tells of up to a thousand leads at once
}


def test_what_is_usual_is_a_megabyte_and_in_public_64_kilobytes() -> None:
    assert (USUAL, PUBLIC) == (MB, 64 * KB)


@pytest.mark.usefixtures("settings")
def test_every_route_that_takes_more_than_usual_was_decided_on() -> None:
    larger: dict[tuple[str, str], int] = {}
    larger_in_public: dict[tuple[str, str], int] = {}
    for service in SERVICES:
        app = app_of(service)
        assert app.state.runtime.settings.max_body_bytes == USUAL, f"{service} takes more by default; say it beside a route"
        for route in routes_of(list(app.routes)):
            methods = set(route.methods or ()) - {"HEAD", "OPTIONS"}
            name = (service, f"{' '.join(sorted(methods))} {route.path}")
            if not isinstance(route, TransactionalRoute):
                assert methods == {"GET"}, f"{name}: only a route of the chassis bounds what it reads"
                continue
            if isinstance(route, PublicRoute):
                assert route.body_limit is not None
                if route.body_limit > PUBLIC:
                    larger_in_public[name] = route.body_limit
            elif (route.body_limit or USUAL) > USUAL:
                larger[name] = route.body_limit or 0
    assert larger == LARGER
    assert larger_in_public == LARGER_IN_PUBLIC
