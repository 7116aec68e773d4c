"""Training does not damage the heap on processors with AVX2 and without AVX-512: see guard_narrow_convolutions."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import lab_support
from underpaint_lab.training.trainable import channels_last, guard_narrow_convolutions

#: Lets oneDNN and PyTorch use the kernels of such a processor on any x86-64 one.
AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}


def test_every_kind_of_network_trains_with_avx2_and_without_avx512(tmp_path: Path) -> None:
    program = Path(next(iter(lab_support.__path__))) / "smallest_networks.py"
    command = [sys.executable, str(program), str(tmp_path)]
    done = subprocess.run(command, env=os.environ | AVX2, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert done.stdout.splitlines()[-1] == "done"


def inputs_in_nchw_order(network: nn.Conv2d | nn.ConvTranspose2d) -> bool:
    """Return True if *network* computes with NCHW input and weight though its input is channels-last."""
    seen: list[Tensor] = []
    network.register_forward_pre_hook(lambda _, inputs: seen.extend(inputs))
    network(torch.rand(2, network.in_channels, 8, 8).contiguous(memory_format=torch.channels_last))
    return seen[0].is_contiguous() and network.weight.is_contiguous()


@pytest.mark.parametrize("guard", [channels_last, guard_narrow_convolutions])
@pytest.mark.parametrize("kind", [nn.Conv2d, nn.ConvTranspose2d])
@pytest.mark.parametrize(
    ("inputs", "outputs", "kernel", "stride", "guarded"),
    [(4, 8, 1, 2, True), (8, 7, 1, 4, True), (8, 8, 1, 2, False), (4, 8, 1, 1, False), (4, 8, 3, 2, False)],
)
def test_only_narrow_strided_1x1_convolutions_leave_the_channels_last_order(
    guard: type, kind: type, inputs: int, outputs: int, kernel: int, stride: int, guarded: bool
) -> None:
    network = kind(inputs, outputs, kernel, stride=stride)
    before = network.weight.clone()
    guard(network)
    assert inputs_in_nchw_order(network) == guarded
    assert torch.equal(network.weight, before)
