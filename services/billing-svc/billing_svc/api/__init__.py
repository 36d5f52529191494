"""HTTP in, by aggregate: invoices, payments, ledger."""
