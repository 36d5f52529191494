"""The business verbs of billing, by aggregate: load, decide, save, book, emit.

Lock order everywhere: the draft or the order, then payments, then invoices in the order of their ids, then the series of numbers.
"""
