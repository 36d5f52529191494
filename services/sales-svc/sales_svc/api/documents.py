"""What pages and routes around a document share: from where somebody acts, a PDF to look at, and how often one may ask."""

from fastapi import Depends, Request, Response
from ltc_chassis.pages import Throttle, client_of

from sales_svc.domain.proof import Place

READ = [Depends(Throttle(60, per_s=60))]
ACT = [Depends(Throttle(20, per_s=60))]


def place_of(request: Request) -> Place:
    """From where the caller acts, as far as it is known."""
    agent = "".join(each for each in request.headers.get("user-agent", "")[:500] if each.isprintable())
    return Place(client_of(request)[:100], agent or None)


def paper(pdf: bytes, name: str) -> Response:
    """A PDF to look at, kept by nobody on the way and found by no search engine."""
    headers = {
        "Content-Disposition": f'inline; filename="{name}.pdf"',
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "X-Robots-Tag": "noindex",
        "Referrer-Policy": "no-referrer",
    }
    return Response(pdf, media_type="application/pdf", headers=headers)
