"""ONNX Runtime sessions, and the tiling of large pictures for networks."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise, product
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from underpaint.errors import ModelError, UsageError
from underpaint.types import strips

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

#: Element type of a picture that runs in tiles.
Values = TypeVar("Values", np.float32, np.uint8)
#: Command that installs what networks need.
INSTALL_HINT = "pip install onnxruntime"


def load_onnxruntime() -> Any:
    """Import ONNX Runtime with its telemetry switched off, and return the module.

    Every import of ``onnxruntime`` in this project goes through here. From version 1.29 on the library otherwise writes
    a device ID and a log of runs to the user's cache folder and looks up a telemetry host. The import takes 0.2 s, so
    that only code which runs a model does it.

    Raises:
        ModelError: it is not installed.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read once, when the library is loaded
    try:
        import onnxruntime  # type: ignore[import-untyped]
    except ImportError as error:
        raise ModelError("a network needs ONNX Runtime, which is not installed", hint=INSTALL_HINT) from error
    return onnxruntime


def onnxruntime_installed() -> bool:
    """Return True if networks can run. This imports ONNX Runtime."""
    try:
        load_onnxruntime()
    except ModelError:
        return False
    return True


def default_threads() -> int:
    """Return the number of threads to compute with.

    Returns:
        The environment variable ``UNDERPAINT_THREADS`` if set, else the number of cores this process may use.

    Raises:
        UsageError: the variable is not a whole number of at least 1.
    """
    wanted = os.environ.get("UNDERPAINT_THREADS")
    if wanted is None:
        # A container or a batch system often grants fewer cores than the machine has.
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not wanted.isdecimal() or int(wanted) < 1:
        raise UsageError(f"UNDERPAINT_THREADS must be a number of at least 1, not {wanted!r}")
    return int(wanted)


def overlapping(length: int, size: int, overlap: int) -> Iterator[tuple[slice, slice]]:
    """Cut a side of a picture into parts that overlap, for networks that look at a neighbourhood.

    Args:
        length: of the side.
        size: of a part without its overlap; the last part may be shorter.
        overlap: on both sides of a part, cut off at the ends of the side.

    Yields:
        The part with its overlap as a slice of the side, and the part itself as a slice of that.
    """
    for part in strips(length, size):
        outer = slice(max(0, part.start - overlap), min(length, part.stop + overlap))
        yield outer, slice(part.start - outer.start, part.stop - outer.start)


def equal_tiles(size: tuple[int, ...], side: int) -> list[tuple[slice, slice]]:
    """Cut a picture into tiles without overlap, as equal as possible.

    Args:
        size: height and width of the picture.
        side: longest side of a tile, in pixels.

    Returns:
        The rows and columns of each tile, row by row. No tile is below half of *side* unless the picture is.
    """
    edges = ([int(edge) for edge in np.linspace(0, length, -(-length // side) + 1)] for length in size)
    rows, columns = ([slice(*pair) for pair in pairwise(each)] for each in edges)
    return list(product(rows, columns))


class Session:
    """One ONNX graph, ready to run on the CPU.

    On one machine the same input gives the same output. Another processor or number of threads may change the last
    bits of a float, so that a decision which must be the same everywhere needs a margin.

    Args:
        graph: the bytes of an ONNX file.
        threads: number of threads; None for :func:`default_threads`.

    Raises:
        ModelError: ONNX Runtime is not installed, or cannot run the graph.
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
        """Run a fully convolutional graph with one input and one output on a picture of any size, tile by tile.

        At the border of the picture a tile ends where the picture ends, so that the graph pads there as it would pad
        the whole picture. If the overlap is at least the radius of the receptive field, the result equals that of the
        whole picture, except for the last bits of floats: ONNX Runtime adds in an order that depends on the size. A
        picture of at most one tile runs whole.

        Args:
            image: ``float32 (N, C, H, W)``; or ``uint8``, for a graph that returns whole numbers 0–255 for such.
            overlap: on each side of a tile, in pixels.
            tile: side of a tile without its overlap, in pixels; memory grows with ``(tile + 2 overlap)²``.
            multiple: sides of the graph's input must be multiples of this. The picture is padded at the bottom and at
                the right by its last row and column, and the result is cropped again.
            workers: tiles that run at the same time; many small tiles run faster so than with several threads each.

        Returns:
            ``(N, C', sH, sW)`` of the same type, where s is the integer scale of the graph.

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
        rows, columns = (list(overlapping(side, tile, overlap)) for side in image.shape[2:])
        with ThreadPoolExecutor(workers) as pool:  # ONNX Runtime releases the interpreter's lock
            tiles = list(pool.map(lambda place: self._run_tile(image, *place), product(rows, columns)))
        across = len(columns)
        bands = [np.concatenate(tiles[i : i + across], axis=3) for i in range(0, len(tiles), across)]
        result = np.concatenate(bands, axis=2)
        scale = result.shape[2] // image.shape[2]
        return result[:, :, : height * scale, : width * scale]

    def _run_tile(
        self, image: NDArray[Values], rows: tuple[slice, slice], columns: tuple[slice, slice]
    ) -> NDArray[Values]:
        """Return the result for one tile, computed with its overlap and cropped to the tile."""
        part = image[:, :, rows[0], columns[0]]
        (output,) = self.run({next(iter(self.inputs)): np.ascontiguousarray(part, np.float32)}).values()
        scale = output.shape[2] // part.shape[2] if output.ndim == 4 else 0
        if scale < 1 or output.shape[2:] != (part.shape[2] * scale, part.shape[3] * scale):
            raise ModelError(f"the graph made {output.shape} of {part.shape}, which is no integer scale")
        down, right = (slice(side.start * scale, side.stop * scale) for side in (rows[1], columns[1]))
        return output[:, :, down, right].astype(image.dtype, copy=False)
