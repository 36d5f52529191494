"""The rules of billing (RULES 4 and 5), by aggregate. Pure: time and ids come in as arguments, events go out as results."""
