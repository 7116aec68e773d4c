"""Fixtures that all tests of benchmarks share."""

from __future__ import annotations

import pytest
import torch


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Use one PyTorch thread: more only slow down networks as small as those of the tests."""
    torch.set_num_threads(1)
