"""Storage of weights in 16 bits, with computation in 32 bits."""

from __future__ import annotations

from torch import Tensor, nn
from torch.func import functional_call

#: Smallest number of weights of a tensor that is stored in 16 bits.
MIN_WEIGHTS = 4096


class HalfPrecision(nn.Module):
    """A network whose larger weights are stored in 16 bits and computed with in 32 bits.

    Args:
        network: the network; its larger weights are rounded to 16 bits in place.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self._stored: dict[str, str] = {}
        for name, weight in network.named_parameters():
            if weight.numel() >= MIN_WEIGHTS:
                self._stored[name] = name.replace(".", "_")
                self.register_buffer(self._stored[name], weight.detach().half())
                weight.data = weight.detach().half().float()

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Return the network's output for *images*."""
        weights = {name: getattr(self, stored).float() for name, stored in self._stored.items()}
        made: Tensor | tuple[Tensor, ...] = functional_call(self.network, weights, (images,))
        return made
