"""Training: reproducible, blind to the held-out participants, and plain about what fails."""

import dataclasses
import os
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from mpcl import training
from mpcl.data import contract
from mpcl.evaluation.protocol import ABLATIONS, config_of
from mpcl.replicas import Stack
from mpcl.settings import ParameterError, Settings
from mpcl.splits import part
from mpcl.training import TrainingError, fit, predict

FOLD = ("P01", "P02", "P03")
QUICK = Settings(epochs=2, batch=16)


def state(model):
    return {name: value.numpy().copy() for name, value in model.state_dict().items()}


def same(one, other):
    return one.keys() == other.keys() and all(np.array_equal(one[k], other[k]) for k in one)


def close(one, other):
    """Within rounding, of which Adam makes a large number where a gradient is small."""
    return one.keys() == other.keys() and all(np.allclose(one[k], other[k], rtol=0, atol=1e-8) for k in one)


def test_a_replica_is_what_it_would_be_alone(cohort):
    """Whoever is trained beside it, and however the stack is cut: equal within rounding, and twice the same bits."""
    config, other = config_of("mpcl", cohort), ("P02", "P03", "P04")
    together = fit(config, cohort, [other, FOLD], [3, 0], QUICK, "cpu")
    alone = fit(config, cohort, [FOLD], [0], QUICK, "cpu")
    cut = fit(config, cohort, [other, FOLD], [3, 0], QUICK, "cpu", chunk=3)
    assert (together.folds[3], together.seeds[3]) == (FOLD, 0)
    for fitted in (together, cut):
        assert close(state(fitted.models[3]), state(alone.models[0]))
        assert np.allclose(fitted.log.loss[3], alone.log.loss[0], rtol=0, atol=1e-9)
    assert not close(state(together.models[2]), state(alone.models[0]))
    again = fit(config, cohort, [other, FOLD], [3, 0], QUICK, "cpu")
    assert all(same(state(one), state(two)) for one, two in zip(together.models, again.models, strict=True))


def test_stacks_on_several_cores_give_what_one_core_gives(cohort):
    config, before = config_of("mpcl", cohort), torch.get_num_threads()
    expected = fit(config, cohort, [FOLD], [0, 1, 2, 3], QUICK, "cpu", chunk=2)
    torch.set_num_threads(2)
    try:
        found = [fit(config, cohort, [FOLD], [0, 1, 2, 3], QUICK, "cpu") for _ in range(2)]
        assert torch.get_num_threads() == 2
        with pytest.raises(TrainingError, match="is nan"):
            fit(config, cohort, [FOLD], [0, 1], Settings(epochs=3, learning_rate=1e300, clip=1e300), "cpu")
    finally:
        torch.set_num_threads(before)
    for one, two, lone in zip(*(each.models for each in found), expected.models, strict=True):
        assert same(state(one), state(two)) and same(state(one), state(lone))


def test_one_replica_takes_the_steps_of_a_plain_loop(cohort):
    """The stacked step beside autograd, torch's own clipping and AdamW on a single network."""
    settings, config = Settings(epochs=1, batch=16, clip=0.5), config_of("mpcl", cohort)
    (replica,) = training.replicas([config], cohort, [FOLD], [0], settings)
    plain = runpy.run_path(Path(__file__).with_name("benchmark_training.py"))["plain"]
    model = plain(replica, settings, torch.device("cpu"))
    assert close(state(fit(config, cohort, [FOLD], [0], settings, "cpu").models[0]), state(model))


def test_ablations_with_the_same_parameters_share_a_stack(cohort):
    configs = [config_of(method, cohort) for method in ("mpcl", "mpcl-no-distillation", "mpcl-no-memory")]
    configs.append(dataclasses.replace(configs[0], w_prototypes=0.0))
    sizes = []
    both = fit(configs, cohort, [FOLD], [0], QUICK, "cpu", watch=lambda epoch, models: sizes.append(len(models)))
    assert sizes == [3] * 3 + [1] * 3  # before, and after each of two epochs
    for number, config in enumerate(configs):
        alone = fit(config, cohort, [FOLD], [0], QUICK, "cpu")
        assert both.configs[number] == both.models[number].config == config
        assert close(state(both.models[number]), state(alone.models[0]))
        terms = alone.log.term.values
        assert np.allclose(both.log.loss[number].sel(term=terms), alone.log.loss[0], rtol=0, atol=1e-9)
    assert both.log.loss.sel(replica=1, term="relation").isnull().all()


@pytest.mark.parametrize("normalisation", ["transductive", "inductive"])
def test_held_out_participants_leave_no_trace(cohort, normalisation):
    """Their features and labels replaced by NaN or huge values: the fitted state is bit-identical."""
    settings = Settings(epochs=1, batch=16, normalisation=normalisation)
    config = config_of("mpcl", cohort)
    clean = fit(config, cohort, [FOLD], [0], settings, "cpu").models[0]
    held_out = ~np.isin(cohort.participant.values, FOLD)
    for poison in (np.nan, 1e30):
        dataset = cohort.copy(deep=True)
        for name in ("eda", "face", "distribution", "rating"):
            values = dataset[name].values.copy()
            values[held_out] = poison
            dataset[name] = dataset[name].copy(data=values)
        assert same(state(fit(config, dataset, [FOLD], [0], settings, "cpu").models[0]), state(clean))


def test_training_learns_and_predicts_distributions(cohort):
    result = fit(config_of("mpcl", cohort), cohort, [FOLD], [0], Settings(epochs=8, batch=16), "cpu")
    kl = result.log.loss.sel(term="kl").values[0]
    assert kl[-1] < 0.8 * kl[0]
    train, test = part(cohort, FOLD)
    predicted = predict(result.models[0], test.drop_vars(["distribution", "rating"]), train, result.settings)
    assert predicted.shape == test.distribution.shape
    assert np.allclose(predicted.sum(1), 1) and (predicted > 0).all()


@pytest.mark.parametrize("method", ABLATIONS)
def test_every_switch_trains(cohort, method):
    result = fit(config_of(method, cohort), cohort, [FOLD], [0], Settings(epochs=1, batch=32), "cpu")
    assert np.isfinite(result.log.loss).all()


def test_a_diverging_run_stops_with_its_place(cohort):
    with pytest.raises(TrainingError, match=r"loss term '\w+' is (nan|inf) in epoch \d, seed 5, training on 3 part"):
        fit(config_of("mpcl", cohort), cohort, [FOLD], [5], Settings(epochs=3, learning_rate=1e300, clip=1e300), "cpu")


def test_a_failing_replica_leaves_the_others_alone(cohort):
    config, spoilt = config_of("mpcl", cohort), iter([True, False])

    def spoil_the_first(model):
        if next(spoilt):
            model.bias.data[0] = torch.nan

    clean = fit(config, cohort, [FOLD], [0, 1], QUICK, "cpu")
    result = fit(config, cohort, [FOLD], [0, 1], QUICK, "cpu", initial=spoil_the_first)
    assert result.models[0] is None and list(result.failed) == [0]
    assert "'kl' is nan in epoch 1, seed 0, training on 3 participants" in result.failed[0]
    assert same(state(result.models[1]), state(clean.models[1]))


def test_memory_that_runs_out_halves_the_stack_and_says_so(cohort, monkeypatch, capsys):
    config, sizes = config_of("mpcl", cohort), []

    def losses(stack, drawn, step):
        sizes.append(len(stack.replicas))
        if len(stack.replicas) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return original(stack, drawn, step)

    original, few = Stack.losses, Settings(epochs=1, batch=64)
    expected = fit(config, cohort, [FOLD], [0, 1, 2, 3], few, "cpu")
    monkeypatch.setattr(Stack, "losses", losses)
    result = fit(config, cohort, [FOLD], [0, 1, 2, 3], few, "cpu")
    assert sizes == [4, 2, 2]
    assert "memory ran out with 4 networks in one stack; going on with 2" in capsys.readouterr().out
    assert all(close(state(a), state(b)) for a, b in zip(result.models, expected.models, strict=True))
    with pytest.raises(RuntimeError, match="unrelated"):
        monkeypatch.setattr(Stack, "losses", lambda *_: (_ for _ in ()).throw(RuntimeError("unrelated")))
        fit(config, cohort, [FOLD], [0, 1], few, "cpu")


def test_early_stopping_keeps_the_best_state_on_participants_of_the_training_part(cohort):
    settings = Settings(epochs=12, batch=16, patience=2, learning_rate=0.03)
    fold = ("P01", "P02", "P03", "P04")
    states = []
    result = fit(config_of("mpcl", cohort), cohort, [fold], [0, 1], settings, "cpu",
                 watch=lambda epoch, models: states.append([state(model) for model in models]))
    scores = result.log.validation.values
    ran = np.isfinite(scores[0]).sum()
    assert ran < 12 and (ran - 1 - np.nanargmin(scores, 1)).min() == 2
    for number, best in enumerate(np.nanargmin(scores, 1)):
        assert same(state(result.models[number]), states[best + 1][number])
    held_out = ~np.isin(cohort.participant.values, fold)
    dataset = cohort.copy(deep=True)
    dataset["distribution"].values[held_out] = np.nan
    again = fit(config_of("mpcl", cohort), dataset, [fold], [0, 1], settings, "cpu")
    assert same(state(again.models[0]), state(result.models[0]))


KILLED = """
import sys
from mpcl.data import contract
from mpcl.evaluation.protocol import config_of
from mpcl.settings import Settings
from mpcl.training import fit
dataset = contract.read(sys.argv[1])
fit(config_of("mpcl", dataset), dataset, [("P01", "P02", "P03")], [0, 1], Settings(epochs=200, batch=16), "cpu",
    checkpoint=sys.argv[2], watch=lambda epoch, models: print(epoch, flush=True))
"""


def test_killed_at_a_random_moment_it_goes_on_to_the_same_weights(cohort, tmp_path):
    contract.write(cohort, tmp_path / "cohort.nc")
    dataset = contract.read(tmp_path / "cohort.nc")
    command = [sys.executable, "-c", KILLED, str(tmp_path / "cohort.nc"), str(tmp_path / "state")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        while "3" not in process.stdout.readline():
            assert process.poll() is None
        time.sleep(np.random.default_rng().random() * 0.3)  # the only moment that nobody chose
        os.kill(process.pid, signal.SIGKILL)
        seen = [int(line) for line in process.stdout.read().split()]
    reached = max(seen, default=3)
    settings = Settings(epochs=200, batch=16)
    config = config_of("mpcl", dataset)
    epochs = []

    class Enough(Exception):
        pass

    def until(last):
        def watch(epoch, models):
            epochs.append(epoch)
            states[epoch] = state(models[1])
            if epoch == last:
                raise Enough
        return watch

    states = {}
    with pytest.raises(Enough):
        fit(config, dataset, [FOLD], [0, 1], settings, "cpu", checkpoint=tmp_path / "state", resume=True,
            watch=until(reached + 3))
    assert epochs[0] > 3, "nothing was taken from the checkpoint"
    resumed, states = states[reached + 3], {}
    with pytest.raises(Enough):
        fit(config, dataset, [FOLD], [0, 1], settings, "cpu", watch=until(reached + 3))
    assert same(resumed, states[reached + 3])


def test_a_checkpoint_of_another_run_or_a_damaged_one_is_refused(cohort, tmp_path):
    config, few = config_of("mpcl", cohort), Settings(epochs=1, batch=64)
    done = fit(config, cohort, [FOLD], [0], few, "cpu", checkpoint=tmp_path)
    again = fit(config, cohort, [FOLD], [0], few, "cpu", checkpoint=tmp_path, resume=True)
    assert same(state(again.models[0]), state(done.models[0]))
    assert np.array_equal(again.log.loss, done.log.loss)
    with pytest.raises(ParameterError, match="belongs to another run"):
        fit(config, cohort, [FOLD], [0], dataclasses.replace(few, mixup=0.1), "cpu", checkpoint=tmp_path, resume=True)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(ParameterError, match="no whole checkpoint"):
        fit(config, cohort, [FOLD], [0], few, "cpu", checkpoint=tmp_path, resume=True)


@pytest.mark.parametrize("precision", ["float32", "tf32", "bfloat16"])
def test_other_precisions_train_and_leave_no_trace_behind(cohort, precision):
    before = torch.get_float32_matmul_precision()
    result = fit(config_of("mpcl", cohort), cohort, [FOLD], [0], Settings(1, 64, precision=precision), "cpu")
    assert result.models[0].bias.dtype == torch.float32 and np.isfinite(result.log.loss).all()
    assert torch.get_float32_matmul_precision() == before
