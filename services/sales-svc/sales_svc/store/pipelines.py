"""Pipelines and their stages."""

from ltc_chassis.connection import Connection

from sales_svc.domain.pipeline import Stage


async def list_stages(conn: Connection, pipeline: str = "default") -> list[Stage]:
    rows = await conn.fetch("SELECT code, position, probability FROM stage WHERE pipeline = $1 ORDER BY position", pipeline)
    return [Stage(row["code"], row["position"], row["probability"]) for row in rows]
