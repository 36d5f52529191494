"""Where things lie: everything the stack writes is under `.ltc`, which git ignores."""

import os
from pathlib import Path

_REPOSITORY = Path(__file__).parents[4]


def default_home() -> Path:
    """LTC_HOME, or `.ltc/stack` of the repository."""
    given = os.environ.get("LTC_HOME")
    return Path(given) if given else _REPOSITORY / ".ltc" / "stack"


def cache_folder() -> Path:
    """LTC_CACHE, or `.ltc/cache` of the repository: downloads that all stacks and tests share."""
    given = os.environ.get("LTC_CACHE")
    return Path(given) if given else _REPOSITORY / ".ltc" / "cache"
