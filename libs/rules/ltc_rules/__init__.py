"""What a company changes without code, as pure functions that every service's domain may use: conditions, fields, calendars."""
