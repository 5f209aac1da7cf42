"""Fused retrieval beside the plain formula, in one run: time and memory at many stored patterns.

    python tests/benchmark_retrieval.py [patterns]

Each variant runs in a process of its own, so that its peak memory is its own. Not a test: timings
depend on the machine.
"""

import json
import resource
import subprocess
import sys
import time

QUERIES, WIDTH, SCALES, REPEATS = 640, 48, (0.25, 1.0, 4.0), 5


def run(variant, patterns):
    """Print the measurement of one variant as JSON."""
    import torch

    from mpcl.model.memory import retrieve

    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    memory = torch.randn(patterns, WIDTH, generator=generator)
    query, beta = torch.randn(QUERIES, WIDTH, generator=generator), torch.tensor(SCALES) / WIDTH**0.5

    def fused(stored):
        return retrieve(query, stored, beta)

    def plain(stored):
        return torch.stack([(one * query @ stored.T).softmax(-1) @ stored for one in beta])

    function = {"fused": fused, "plain": plain}[variant]
    function(memory[:64])  # whatever is loaded on first use
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        found = function(memory)
        seconds.append(time.perf_counter() - begin)
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(json.dumps({"seconds": min(seconds), "megabytes": peak, "sum": found.double().abs().sum().item()}))


def main():
    """Measure both variants and print them side by side."""
    if len(sys.argv) == 3:
        return run(sys.argv[1], int(sys.argv[2]))
    patterns = int(sys.argv[1]) if len(sys.argv) == 2 else 100_000
    found = {}
    for variant in ("plain", "fused"):
        ran = subprocess.run([sys.executable, __file__, variant, str(patterns)], stdout=subprocess.PIPE, check=True)
        found[variant] = json.loads(ran.stdout)
        print(f"{variant}: {found[variant]['seconds'] * 1000:7.0f} ms, {found[variant]['megabytes']:7.1f} MB more")
    plain, fused = found["plain"], found["fused"]
    print(f"{patterns} patterns, {QUERIES} queries, {len(SCALES)} scales, one thread: "
          f"{plain['seconds'] / fused['seconds']:.1f} times faster, "
          f"{plain['megabytes'] / max(fused['megabytes'], 0.1):.0f} times less memory, "
          f"sums differ by {abs(plain['sum'] / fused['sum'] - 1):.1e}")


if __name__ == "__main__":
    main()
