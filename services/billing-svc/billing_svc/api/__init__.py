"""HTTP in, by aggregate: invoices, credit notes, payments, ledger."""
