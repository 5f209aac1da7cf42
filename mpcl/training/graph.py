"""A step as one graph: a graphics card starts all its kernels at once."""

from collections.abc import Callable
from typing import Generic, TypeVar

import torch
from torch import Tensor

Result = TypeVar("Result")


class Replayed(Generic[Result]):
    """A function of tensors, recorded once and replayed by a graphics card.

    A step of a stack is hundreds of small kernels, and starting them one by one takes
    several times as long as running them. A CUDA graph starts them together. It reads
    and writes the same memory each time: arguments are copied to buffers, and what a
    call returns is overwritten by the next. What cannot be recorded runs as it is, and
    without ``capture`` everything does, on the same buffers.

    Example:
        >>> double = Replayed(lambda x: 2 * x, capture=False)
        >>> double(torch.tensor([1.0])), double(torch.tensor([3.0]))
        (tensor([2.]), tensor([6.]))
    """

    def __init__(self, function: Callable[..., Result], capture: bool = True) -> None:
        self.function, self.capture = function, capture
        self.buffers: list[Tensor] = []
        self.recorded: tuple[torch.cuda.CUDAGraph, Result] | None = None

    def __call__(self, *arguments: Tensor) -> Result:
        """What the function gives for arguments that have the same shapes each time."""
        if not self.buffers:
            self.buffers = [argument.clone() for argument in arguments]
            if self.capture:
                with torch.cuda.device(self.buffers[0].device):
                    self._record()
        for buffer, argument in zip(self.buffers, arguments, strict=True):
            buffer.copy_(argument)
        if self.recorded is None:
            return self.function(*self.buffers)
        graph, result = self.recorded
        graph.replay()
        return result

    def _record(self) -> None:
        """Record the function, run a few times before for what is made on first use."""
        aside, here = torch.cuda.Stream(), torch.cuda.current_stream()
        aside.wait_stream(here)
        with torch.cuda.stream(aside):
            for _ in range(3):
                self.function(*self.buffers)
        here.wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph):
                result = self.function(*self.buffers)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError:  # an operation that no graph can hold
            return
        self.recorded = graph, result
