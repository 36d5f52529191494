from pathlib import Path

import pytest

from tests.house import routes


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings with which the app of a service can be made, and no more."""
    routes.settle(tmp_path, monkeypatch)
