"""Optimistic versions: who changes an object says which version was read, so that nobody overwrites what they did not see."""

from ltc_contracts.errors import Invalid, VersionConflict


def require_version(what: str, current: int, expected: int | None) -> None:
    """Raises `Invalid` when the caller named no version, `VersionConflict` when it is not the present one."""
    if expected is None:
        raise Invalid("name the version that you read, as `version` or in If-Match", field="version")
    if expected != current:
        raise VersionConflict(what, current)
