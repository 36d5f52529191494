"""The rules of sales: `account`, `pipeline`, `opportunity`, `quote`, `contract`."""
