"""Peak memory of WESAD from raw signals to features, with few and with many participants.

Run it with ``python tests/benchmark_memory.py ROOT``, ROOT a WESAD folder with at least 12 participants (real ones, or
those of :func:`mpcl.data.wesad_twin.write_twin`). Each measurement is a process of its own, without the cache.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path


def peak():
    """Highest memory of this process so far, in MiB."""
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def load(root):
    """Load a folder and print the peak memory of the imports, and of all."""
    from mpcl.data import wesad

    before = peak()
    dataset = wesad.load(root, cache=False, progress=False)
    print(f"{before:.0f} {peak():.0f} {dataset.sizes['window']} {dataset.nbytes / 2**20:.1f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("root", type=Path)
    parser.add_argument("--participants", type=int, nargs="+", default=[1, 3, 12])
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        return load(options.root)
    people = sorted((path for path in options.root.glob("S*") if path.is_dir()), key=lambda path: int(path.name[1:]))
    print("participants  files (MiB)  imports (MiB)  peak (MiB)  windows  features (MiB)")
    for count in options.participants:
        with tempfile.TemporaryDirectory() as folder:
            for person in people[:count]:
                os.symlink(person.resolve(), Path(folder, person.name))
            size = sum(path.stat().st_size for person in people[:count] for path in person.glob("*.pkl")) / 2**20
            command = [sys.executable, __file__, folder, "--measure"]
            told = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
            print("{:12d}  {:11.0f}  {:>13}  {:>10}  {:>7}  {:>14}".format(min(count, len(people)), size, *told))


if __name__ == "__main__":
    main()
