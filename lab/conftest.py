"""Threads and fixtures of all tests of the lab. In ``tests``, mypy would confuse this file with the runtime's."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from underpaint_lab.data.photographs import Photographs

# One thread per process: more slow down work as small as that of the tests, and the processes beside this one.
# NumPy and PyTorch read these variables when they are imported, so nothing here may import them before.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")


@pytest.fixture(scope="session")
def sample_photographs() -> Photographs:
    """The two sample photographs as training data."""
    from underpaint import media
    from underpaint.media import samples
    from underpaint_lab.data.photographs import Photographs

    return Photographs("samples", [media.read(samples.path(name)).pixels for name in samples.names()])
