"""The lab runs exported networks without telemetry: nothing in the home folder, no name looked up."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from support import network_log
from support.tiny_model import FOLDER

PROGRAM = """
import sys
from pathlib import Path
import numpy as np
import torch
import underpaint_lab.export.onnx
from underpaint.models import Session
session = Session(Path(sys.argv[1]).read_bytes())
session.run({"image": np.zeros((1, 3, 8, 8), np.float32)})
"""


def test_running_a_network_beside_pytorch_leaves_the_home_empty_and_looks_up_no_name(tmp_path: Path) -> None:
    home, log = tmp_path / "home", tmp_path / "network.log"
    home.mkdir()
    kept = {name: value for name, value in os.environ.items() if name not in ("CI", "ORT_DISABLE_TELEMETRY")}
    variables = kept | {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
    variables |= network_log.environment(network_log.build(tmp_path), log)
    subprocess.run([sys.executable, "-c", PROGRAM, str(FOLDER / "model.onnx")], check=True, env=variables)
    assert list(home.iterdir()) == []
    assert not log.exists()
