"""The rules of accounts: when two names are one company."""


def account_key(name: str) -> str:
    """The form in which two spellings of a company are the same: case, spaces and full stops do not count."""
    return " ".join(name.casefold().replace(".", "").split())
