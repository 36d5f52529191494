"""What goes wrong with the machine rather than with the program: shown as one line, without a traceback."""


class StackError(Exception):
    """The text says what is wrong and what to do."""
