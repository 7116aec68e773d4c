"""underpaint-lab: training, papers, benchmarks and feature-based steganalysis for underpaint. Needs PyTorch.

::

    data ─► papers (networks, losses, recipes) ─► training ─► run folder ─► export ─► zoo
                                                                       └► benchmarks ─► results

The runtime never imports it.
"""

from __future__ import annotations

from pathlib import Path


def zoo() -> Path:
    """Return the folder of the lab's models; the runtime finds it by the entry point ``underpaint.zoo``."""
    return Path(__file__).parent / "zoo"
