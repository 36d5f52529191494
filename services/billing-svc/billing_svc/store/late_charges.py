"""SQL of fees and interest that are claimed for invoices that are late. They are added only while the late invoice is locked."""

from collections.abc import Sequence
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.money import Money

from billing_svc.domain.invoice import Invoice
from billing_svc.domain.late_charge import Booked, ChargeNature


async def insert_charge(conn: Connection, charge: Invoice, *, about: UUID, step_id: UUID, nature: ChargeNature) -> None:
    await conn.execute(
        "INSERT INTO late_charge (invoice_id, about, step_id, nature) VALUES ($1, $2, $3, $4)", charge.id, about, step_id, nature
    )


async def list_booked(conn: Connection, about: UUID) -> list[Booked]:
    """Claimed until now for an invoice, or for the instalment of it that is late; a void one claims nothing, but is not claimed again."""
    rows = await conn.fetch(
        """
        SELECT c.nature, i.currency, i.gross,
               CASE i.state WHEN 'final' THEN i.gross - i.paid - i.credited - i.written_off ELSE 0 END AS open
        FROM late_charge c JOIN invoice i ON i.id = c.invoice_id
        JOIN dunning d ON d.invoice_id = c.about LEFT JOIN dunning_step s ON s.id = c.step_id
        WHERE c.about = $1 AND coalesce(s.instalment, 0) = d.instalment ORDER BY c.invoice_id
        """,
        about,
    )
    return [Booked(row["nature"], *(Money.of(row[name], row["currency"]) for name in ("gross", "open"))) for row in rows]


async def list_charge_ids(conn: Connection, about: Sequence[UUID]) -> list[UUID]:
    """The charges of these invoices, the oldest first."""
    rows = await conn.fetch("SELECT invoice_id FROM late_charge WHERE about = ANY($1::uuid[]) ORDER BY invoice_id", list(about))
    return [row["invoice_id"] for row in rows]
