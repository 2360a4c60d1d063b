"""What the tests of lint share."""

from pathlib import Path

import pytest
from commanded import Lint


@pytest.fixture
def lint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lint:
    return Lint(tmp_path, monkeypatch)
