"""Every SQL statement of billing-svc, by aggregate: documents, cash, ledger."""
