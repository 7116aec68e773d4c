"""Weights stored in half precision and computed with in single precision."""

from __future__ import annotations

from torch import Tensor, nn
from torch.func import functional_call

#: Tensors of so many weights are worth storing in 16 bits.
LARGE = 4096


class Halved(nn.Module):
    """A network whose larger weights are stored in 16 bits, and computed with in 32.

    Args:
        network: whose weights it takes over, rounded.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self._stored: dict[str, str] = {}
        for name, weight in network.named_parameters():
            if weight.numel() >= LARGE:
                self._stored[name] = name.replace(".", "_")
                self.register_buffer(self._stored[name], weight.detach().half())
                weight.data = weight.detach().half().float()

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, ...]:
        """What the network makes of *images*."""
        weights = {name: getattr(self, stored).float() for name, stored in self._stored.items()}
        made: Tensor | tuple[Tensor, ...] = functional_call(self.network, weights, (images,))
        return made
