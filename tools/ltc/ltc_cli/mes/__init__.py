"""A reference MES: makes what is ordered, on a simulated shop floor, and tells of it. It knows the suite by Kafka alone (docs/mes.md)."""
