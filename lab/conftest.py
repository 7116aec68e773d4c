"""Fixtures that all tests of the lab share. In ``tests``, mypy would confuse this file with the runtime's."""

from __future__ import annotations

import pytest
import torch

from underpaint import media
from underpaint.media import samples
from underpaint_lab.data.photographs import Photographs


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Use one PyTorch thread: more slow down networks as small as those of the tests, and processes beside this one."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def sample_photographs() -> Photographs:
    """The two sample photographs as training data."""
    return Photographs("samples", [media.read(samples.path(name)).pixels for name in samples.names()])
