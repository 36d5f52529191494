"""The rules of leads: `lead` (statuses), `score` (fit and engagement), `rows` (what a line of a file means)."""
