"""ONNX Runtime: run a graph, on a picture of any size in tiles of bounded memory."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from underpaint.errors import ModelError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

#: The values of a picture that runs in tiles.
Values = TypeVar("Values", np.float32, np.uint8)


def load_onnxruntime() -> Any:
    """Import ONNX Runtime with its telemetry switched off, and return the module.

    Every import of ``onnxruntime`` in this project goes through here. From version 1.29 on the library otherwise writes
    a device ID and a log of runs to the user's cache folder and looks up a telemetry host. The import takes 0.2 s, so
    that only code which runs a model does it.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read once, when the library is loaded
    import onnxruntime  # type: ignore[import-untyped]

    return onnxruntime


def default_threads() -> int:
    """Return ``UNDERPAINT_THREADS``, or else the number of cores this process may use.

    Raises:
        UsageError: the variable is not a number of at least 1.
    """
    wanted = os.environ.get("UNDERPAINT_THREADS")
    if wanted is None:
        # A container or a batch system often grants fewer cores than the machine has.
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not wanted.isdecimal() or int(wanted) < 1:
        raise UsageError(f"UNDERPAINT_THREADS must be a number of at least 1, not {wanted!r}")
    return int(wanted)


class Session:
    """One ONNX graph, ready to run on the CPU.

    On one machine the same input gives the same output. With another kind of processor or number of threads the last
    bits of a float may differ: whoever needs the same decision everywhere must leave a margin.

    Args:
        graph: the bytes of an ONNX file.
        threads: how many to compute with; None for :func:`default_threads`.

    Raises:
        ModelError: ONNX Runtime cannot run the graph.
        UsageError: *threads* is less than 1.
    """

    def __init__(self, graph: bytes, *, threads: int | None = None) -> None:
        count = default_threads() if threads is None else threads
        if count < 1:
            raise UsageError(f"threads must be at least 1, not {count}")
        onnxruntime = load_onnxruntime()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = count
        options.inter_op_num_threads = 1
        options.use_deterministic_compute = True
        options.enable_cpu_mem_arena = False  # the arena never gives back what the largest tile once needed
        options.log_severity_level = 4  # failures come as exceptions
        try:
            self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's exceptions have no common base
            raise ModelError("onnxruntime cannot run this graph", hint="upgrade onnxruntime") from error
        #: Names and shapes of inputs and outputs; a dimension that is free has a name, or None.
        self.inputs: dict[str, list[int | str | None]] = {node.name: node.shape for node in self._session.get_inputs()}
        self.outputs: dict[str, list[int | str | None]] = {
            node.name: node.shape for node in self._session.get_outputs()
        }

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Run the graph once and return its outputs by name.

        Raises:
            ModelError: names, shapes or types are not those of the graph.
        """
        if inputs.keys() != self.inputs.keys():
            raise ModelError(f"the graph takes {', '.join(self.inputs)}, not {', '.join(inputs) or 'nothing'}")
        try:
            results = self._session.run(list(self.outputs), dict(inputs))
        except Exception as error:
            raise ModelError(f"the graph cannot run on this input: {str(error).splitlines()[0]}") from error
        return dict(zip(self.outputs, results, strict=True))

    def tiled(
        self, image: NDArray[Values], *, overlap: int, tile: int = 512, multiple: int = 1, workers: int = 1
    ) -> NDArray[Values]:
        """Run a fully convolutional graph with one input and one output on a picture of any size.

        Each tile sees *overlap* pixels beyond its border, and the picture's own border where that is nearer, so that
        the graph pads just where it would pad the whole picture. With an overlap of at least the radius of the
        graph's receptive field the result is that of the whole picture: exactly, but that ONNX Runtime adds floats in
        an order that depends on the size, which may change their last bits. A picture of up to one tile is run whole.

        Args:
            image: ``float32 (N, C, H, W)``; or ``uint8``, for a graph that makes whole numbers 0–255 of such.
            overlap: in pixels.
            tile: side of a tile without its overlap, in pixels; memory grows with ``(tile + 2 overlap)²``.
            multiple: the graph takes only sides that are multiples of this (because it halves them, say). Bottom and
                right are filled up with the picture's last row and column, and the surplus is cut off the result.
            workers: how many tiles to run side by side; of many small tiles more get done than of one by many threads.

        Returns:
            ``(N, C', sH, sW)`` of the same type, with the graph's own integer scale *s*.

        Raises:
            UsageError: *image* has another type or no pixels, or a number is out of range.
            ModelError: the graph has more inputs or outputs, or does not scale by an integer.
        """
        if image.dtype not in (np.float32, np.uint8) or image.ndim != 4 or 0 in image.shape:
            raise UsageError(f"expected pictures, float32 or uint8 (N, C, H, W), not {image.dtype} {image.shape}")
        if tile < 1 or overlap < 0 or multiple < 1 or workers < 1:
            raise UsageError("tile, multiple and workers must be at least 1, overlap at least 0")
        if len(self.inputs) != 1 or len(self.outputs) != 1:
            raise ModelError("only a graph with one input and one output can run in tiles")
        height, width = image.shape[2:]
        padding = ((0, 0), (0, 0), (0, -height % multiple), (0, -width % multiple))
        image = np.pad(image, padding, mode="edge") if multiple > 1 else image
        # Strides inside the graph count from a tile's corner: corners must lie where they lie in the whole picture.
        tile, overlap = (-(-length // multiple) * multiple for length in (tile, overlap))
        tops, lefts = range(0, image.shape[2], tile), range(0, image.shape[3], tile)
        with ThreadPoolExecutor(workers) as pool:  # ONNX Runtime lets go of the interpreter's lock
            parts = list(pool.map(lambda at: self._run_tile(image, at[0], at[1], tile, overlap), product(tops, lefts)))
        across = len(lefts)
        rows = [np.concatenate(parts[i : i + across], axis=3) for i in range(0, len(parts), across)]
        result = np.concatenate(rows, axis=2)
        scale = result.shape[2] // image.shape[2]
        return result[:, :, : height * scale, : width * scale]

    def _run_tile(self, image: NDArray[Values], top: int, left: int, tile: int, overlap: int) -> NDArray[Values]:
        """Return the result for one tile, computed with its overlap and cut to the tile."""
        y, x = max(0, top - overlap), max(0, left - overlap)
        part = image[:, :, y : top + tile + overlap, x : left + tile + overlap]
        (output,) = self.run({next(iter(self.inputs)): np.ascontiguousarray(part, np.float32)}).values()
        scale = output.shape[2] // part.shape[2] if output.ndim == 4 else 0
        if scale < 1 or output.shape[2:] != (part.shape[2] * scale, part.shape[3] * scale):
            raise ModelError(f"the graph made {output.shape} of {part.shape}, which is no integer scale")
        core = output[:, :, (top - y) * scale :, (left - x) * scale :]
        return core[:, :, : tile * scale, : tile * scale].astype(image.dtype, copy=False)
