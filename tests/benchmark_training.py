"""A cross-validation trained together, beside the same networks one after the other: models an hour, in one run.

    python tests/benchmark_training.py [--folds 15] [--seeds 5] [--epochs 1] [--precision float32] [--device cpu]
                                       [--compile] [--out FILE.nc]

All ways train the same networks on the same data with the same modules, batches and fused optimiser; the largest
difference of their weights is printed. On a processor the ways are: one network after the other on one thread and on
all, as many processes as cores, and all in one stack.
"""

import argparse
import json
import os
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import torch
import xarray as xr

from mpcl import provenance, splits, training
from mpcl.batches import mixed_batch
from mpcl.data.catalogue import open_dataset
from mpcl.data.contract import write_netcdf
from mpcl.evaluation.protocol import config_of
from mpcl.replicas import Stack
from mpcl.settings import Settings, device_of


def plain(replica, settings, device):
    """One network in an ordinary loop, with the batches that the stack gives it."""
    stack = Stack([replica], settings, device)
    model = stack.models[0].to(device)
    groups = training.parameter_groups(model.named_parameters(), settings.weight_decay)
    optimiser = torch.optim.AdamW(groups, settings.learning_rate, fused=True)
    steps = settings.epochs * replica.windows.steps(settings)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, settings.learning_rate, steps)
    for epoch in range(settings.epochs):
        drawn = stack.draw(epoch)
        for step in range(steps // settings.epochs):
            features, present, target = (values[0] for values in mixed_batch(stack.inputs, drawn, step))
            output = model(features, present, drawn.dropout[step, 0])
            optimiser.zero_grad()
            model.losses(output, target)["total"].backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), settings.clip)
            optimiser.step()
            schedule.step()
    return model.cpu()


def one_after_the_other(replicas, settings, device, threads):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        return [plain(replica, settings, device) for replica in replicas]
    finally:
        torch.set_num_threads(before)


def in_a_process(share):
    replicas, settings = share
    return [model.state_dict() for model in one_after_the_other(replicas, settings, torch.device("cpu"), 1)]


def measure(ways, several):
    """Models an hour of each way, and how far its weights are from those of the first."""
    found, first = {}, None
    for name, train in ways.items():
        begin = time.perf_counter()
        models = train()
        seconds = time.perf_counter() - begin
        first = first or [model.state_dict() for model in models]
        apart = max((model.state_dict()[k] - v).abs().max().item()
                    for model, state in zip(models, first, strict=True) for k, v in state.items())
        found[name] = {"seconds": seconds, "models_per_hour": several / seconds * 3600, "apart": apart}
        print(f"{name:34} {seconds:8.1f} s  {found[name]['models_per_hour']:9.0f} models an hour  "
              f"weights apart {apart:.0e}  memory so far {peak():.2f} GB", flush=True)
    return found


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folds", type=int, default=15)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--chunk", type=int)
    parser.add_argument("--compile", action="store_true", help="let torch.compile fuse the stacked step")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--dataset", default="simulated")
    parser.add_argument("--root")
    parser.add_argument("--out", help="results file to write")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    dataset, device = open_dataset(options.dataset, options.root), device_of(options.device)
    settings = Settings(epochs=options.epochs, precision=options.precision)
    compiled = Settings(epochs=options.epochs, precision=options.precision, compile=True)
    config = config_of("mpcl", dataset)
    folds = splits.folds(dataset, "leave-one-participant-out")[: options.folds]
    seeds = list(range(options.seeds))
    replicas = training.replicas([config], dataset, folds, seeds, settings)
    print(f"{len(replicas)} networks ({len(folds)} folds x {len(seeds)} seeds), {options.epochs} epochs of "
          f"{replicas[0].windows.steps(settings)} steps, {options.precision}, {provenance.device_name(device)}, "
          f"{options.threads} threads, torch {torch.__version__}")

    def together(chosen):
        return training.fit(config, dataset, folds, seeds, chosen, options.device, chunk=options.chunk).models

    ways = {"one stack": lambda: together(settings)}
    if options.compile:
        ways["one stack, compiled"] = lambda: together(compiled)
    if device.type == "cpu":
        def processes():
            count = options.threads
            with ProcessPoolExecutor(count, get_context("spawn")) as pool:
                shares = list(pool.map(in_a_process, [(replicas[n::count], settings) for n in range(count)]))
            models = [replica.network(settings) for replica in replicas]
            for number, model in enumerate(models):
                model.load_state_dict(shares[number % count][number // count])
            return models

        ways[f"{options.threads} processes"] = processes
        for threads in sorted({1, options.threads}, reverse=True):
            ways[f"one after the other, {threads} thread{'s' * (threads > 1)}"] = (
                lambda threads=threads: one_after_the_other(replicas, settings, device, threads))
    else:
        ways["one after the other"] = lambda: one_after_the_other(replicas, settings, device, options.threads)
    found = measure(ways, len(replicas))
    best = max(v["models_per_hour"] for name, v in found.items() if name.startswith("one after"))
    print("times as many as the best way of one after the other:",
          ", ".join(f"{name} {v['models_per_hour'] / best:.1f}" for name, v in found.items()))
    if options.out:
        measured = {key: ("way", [v[key] for v in found.values()]) for key in ("seconds", "models_per_hour", "apart")}
        table = xr.Dataset(measured, coords={"way": list(found)})
        write_netcdf(table.assign_attrs(
            networks=len(replicas), threads=options.threads, settings=json.dumps(vars(settings)),
            device=provenance.device_name(device), versions=json.dumps(provenance.versions()),
            commit=provenance.commit(), code_fingerprint=provenance.model_code()), options.out)


if __name__ == "__main__":
    main()
