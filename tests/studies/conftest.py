"""What several tests of studies read: the committed bake-offs, opened once."""

from __future__ import annotations

import pytest

from benchmarks.studies.bakeoff_rows import BakeOff, opened
from benchmarks.studies.settings import ROWS


@pytest.fixture(scope="session")
def committed() -> dict[str, BakeOff]:
    return opened(ROWS)
