"""Training: reproducible, blind to those held out, and plain about what fails."""

import dataclasses
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from mpcl.data import contract
from mpcl.errors import DatasetError, ParameterError, TrainingError
from mpcl.model.config import SWITCHES, MPCLConfig
from mpcl.model.network import MPCL
from mpcl.splits import of_participants, part
from mpcl.training import loop
from mpcl.training.batches import mixed_batch
from mpcl.training.graph import Replayed
from mpcl.training.loop import StackTraining, fit, make_replicas, predict
from mpcl.training.settings import Settings
from mpcl.training.stack import Stack

QUICK = Settings(epochs=2, batch=16)


@pytest.fixture(scope="module")
def fold(cohort):
    return of_participants(cohort, ["P01", "P02", "P03"])


@pytest.fixture(scope="module")
def config(cohort):
    return MPCLConfig.from_dataset(cohort)


def state(model):
    return {name: value.numpy().copy() for name, value in model.state_dict().items()}


def same(one, other):
    return one.keys() == other.keys() and all(
        np.array_equal(one[k], other[k]) for k in one
    )


def close(one, other):
    """Within rounding, of which Adam makes a large number where a gradient is small."""
    return one.keys() == other.keys() and all(
        np.allclose(one[k], other[k], rtol=0, atol=1e-8) for k in one
    )


def test_a_replica_is_what_it_would_be_alone(cohort, config, fold):
    """Whoever trains beside it: equal within rounding, and twice the same bits."""
    other = of_participants(cohort, ["P02", "P03", "P04"])
    together = fit(config, cohort, [other, fold], [3, 0], QUICK, "cpu")
    alone = fit(config, cohort, [fold], [0], QUICK, "cpu")
    cut = fit(config, cohort, [other, fold], [3, 0], QUICK, "cpu", chunk=3)
    assert (together.folds[3], together.seeds[3]) == (fold, 0)
    for fitted in (together, cut):
        assert close(state(fitted.models[3]), state(alone.models[0]))
        assert np.allclose(fitted.log.loss[3], alone.log.loss[0], rtol=0, atol=1e-9)
    assert not close(state(together.models[2]), state(alone.models[0]))
    again = fit(config, cohort, [other, fold], [3, 0], QUICK, "cpu")
    assert all(
        same(state(one), state(two))
        for one, two in zip(together.models, again.models, strict=True)
    )


def test_stacks_on_several_cores_give_what_one_core_gives(cohort, config, fold):
    before = torch.get_num_threads()
    expected = fit(config, cohort, [fold], [0, 1, 2, 3], QUICK, "cpu", chunk=2)
    torch.set_num_threads(2)
    try:
        found = [
            fit(config, cohort, [fold], [0, 1, 2, 3], QUICK, "cpu") for _ in range(2)
        ]
        assert torch.get_num_threads() == 2
        with pytest.raises(TrainingError, match="is nan"):
            fit(
                config,
                cohort,
                [fold],
                [0, 1],
                Settings(epochs=3, learning_rate=1e300, clip=1e300),
                "cpu",
            )
    finally:
        torch.set_num_threads(before)
    for one, two, lone in zip(
        *(each.models for each in found), expected.models, strict=True
    ):
        assert same(state(one), state(two)) and same(state(one), state(lone))


def plain_loop(replica, settings):
    """One network by autograd, torch's own clipping and AdamW, with its batches."""
    stack = Stack([replica], settings, torch.device("cpu"))
    model = stack.models[0]
    decays = {True: [], False: []}
    for parameter in model.parameters():
        decays[parameter.dim() >= 2].append(parameter)
    groups = [
        {"params": decays[True], "weight_decay": settings.weight_decay},
        {"params": decays[False], "weight_decay": 0.0},
    ]
    rate, steps = settings.learning_rate, replica.windows.steps(settings)
    optimiser = torch.optim.AdamW(groups, rate, fused=True)
    total, weights = settings.epochs * steps, replica.weights()
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total)
    for epoch in range(settings.epochs):
        drawn = stack.draw(epoch)
        for step in range(steps):
            batch = mixed_batch(stack.inputs, drawn.at(step))
            features, present, target = (values[0] for values in batch)
            terms = model.losses(model(features, present, drawn.keep[step, 0]), target)
            optimiser.zero_grad()
            sum(weight * terms[name] for name, weight in weights.items()).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), settings.clip)
            optimiser.step()
            schedule.step()
    return model


def test_one_replica_takes_the_steps_of_a_plain_loop(cohort, config, fold):
    settings = Settings(epochs=1, batch=16, clip=0.5)
    (replica,) = make_replicas([config], cohort, [fold], [0], settings)
    fitted = fit(config, cohort, [fold], [0], settings, "cpu").models[0]
    assert close(state(fitted), state(plain_loop(replica, settings)))


def test_ablations_with_the_same_parameters_share_a_stack(cohort, config, fold):
    off = [{}, {"distillation": False}, {"memory": False}]
    configs = [dataclasses.replace(config, **switch) for switch in off]
    configs.append(dataclasses.replace(configs[0], w_prototypes=0.0))
    sizes = []
    both = fit(
        configs,
        cohort,
        [fold],
        [0],
        QUICK,
        "cpu",
        watch=lambda epoch, models: sizes.append(len(models)),
    )
    assert sizes == [3] * 3 + [1] * 3  # before, and after each of two epochs
    for number, config in enumerate(configs):
        alone = fit(config, cohort, [fold], [0], QUICK, "cpu")
        assert both.configs[number] == both.models[number].config == config
        assert close(state(both.models[number]), state(alone.models[0]))
        terms = alone.log.term.values
        assert np.allclose(
            both.log.loss[number].sel(term=terms), alone.log.loss[0], rtol=0, atol=1e-9
        )
    assert both.log.loss.sel(replica=3, term="prototypes").isnull().all()
    assert both.log.loss.sel(replica=1, term="relation").isnull().all()


@pytest.mark.parametrize("normalisation", ["transductive", "inductive"])
def test_held_out_participants_leave_no_trace(cohort, config, fold, normalisation):
    """Their features and labels become NaN or huge: the fitted state is the same."""
    settings = Settings(epochs=1, batch=16, normalisation=normalisation)
    clean = fit(config, cohort, [fold], [0], settings, "cpu").models[0]
    held_out = list(fold.held_out)
    for poison in (np.nan, 1e30):
        dataset = cohort.copy(deep=True)
        for name in ("eda", "face", "distribution", "rating"):
            values = dataset[name].values.copy()
            values[held_out] = poison
            dataset[name] = dataset[name].copy(data=values)
        assert same(
            state(fit(config, dataset, [fold], [0], settings, "cpu").models[0]),
            state(clean),
        )


def test_training_learns_and_predicts_distributions(cohort, config, fold):
    result = fit(
        config,
        cohort,
        [fold],
        [0],
        Settings(epochs=40, batch=16),
        "cpu",
    )
    kl = result.log.loss.sel(term="kl").values[0]
    assert kl[-1] < 0.8 * kl[0]
    train, test = part(cohort, fold)
    predicted = predict(
        result.models[0],
        test.drop_vars(["distribution", "rating"]),
        train,
        result.settings,
    )
    assert predicted.shape == test.distribution.shape
    assert np.allclose(predicted.sum(1), 1) and (predicted > 0).all()


def test_every_switch_trains_another_network(cohort, config, fold):
    """Without a component the KL still falls, and the predictions are others."""
    off = {
        switch: dataclasses.replace(config, **{switch: False}) for switch in SWITCHES
    }
    settings = Settings(epochs=40, batch=16)
    configs = [config, *off.values()]
    result = fit(configs, cohort, [fold], [0], settings, "cpu")
    train, test = part(cohort, fold)
    full, *others = (
        predict(model, test, train, settings, "cpu") for model in result.models
    )
    kl = result.log.loss.sel(term="kl").values  # (replica, epoch)
    assert (kl[:, -1] < 0.9 * kl[:, 0]).all()
    for (switch, expected), model, predicted in zip(
        off.items(), result.models[1:], others, strict=True
    ):
        assert model.config == expected and not getattr(model.config, switch)
        assert np.abs(predicted - full).max() > 1e-7, switch


def test_a_diverging_run_stops_with_its_place(cohort, config, fold):
    with pytest.raises(
        TrainingError,
        match=r"loss term '\w+' is (nan|inf) in epoch \d, seed 5, training on 3 part",
    ):
        fit(
            config,
            cohort,
            [fold],
            [5],
            Settings(epochs=3, learning_rate=1e300, clip=1e300),
            "cpu",
        )


def test_a_failing_replica_leaves_the_others_alone(cohort, config, fold):
    spoilt = iter([True, False])

    def spoil_the_first(model):
        if next(spoilt):
            model.bias.data[0] = torch.nan

    clean = fit(config, cohort, [fold], [0, 1], QUICK, "cpu")
    result = fit(config, cohort, [fold], [0, 1], QUICK, "cpu", initial=spoil_the_first)
    assert result.models[0] is None and list(result.failed) == [0]
    assert (
        "'kl' is nan in epoch 1, seed 0, training on 3 participants" in result.failed[0]
    )
    assert same(state(result.models[1]), state(clean.models[1]))


def test_memory_that_runs_out_halves_the_stack_and_says_so(
    cohort, config, fold, monkeypatch, capsys
):
    sizes = []

    def losses(stack, drawn):
        sizes.append(len(stack.replicas))
        if len(stack.replicas) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return original(stack, drawn)

    original, few = Stack.losses, Settings(epochs=1, batch=64)
    expected = fit(config, cohort, [fold], [0, 1, 2, 3], few, "cpu")
    monkeypatch.setattr(Stack, "losses", losses)
    result = fit(config, cohort, [fold], [0, 1, 2, 3], few, "cpu")
    assert sizes == [4, 2, 2]
    assert (
        "memory ran out with 4 networks in one stack; going on with 2"
        in capsys.readouterr().out
    )
    assert all(
        close(state(a), state(b))
        for a, b in zip(result.models, expected.models, strict=True)
    )
    with pytest.raises(RuntimeError, match="unrelated"):
        monkeypatch.setattr(
            Stack, "losses", lambda *_: (_ for _ in ()).throw(RuntimeError("unrelated"))
        )
        fit(config, cohort, [fold], [0, 1], few, "cpu")


def test_early_stopping_keeps_the_best_state_on_participants_of_the_training_part(
    cohort, config, fold
):
    settings = Settings(epochs=12, batch=16, patience=2, learning_rate=0.03)
    fold = of_participants(cohort, ["P01", "P02", "P03", "P04"])
    states = []
    result = fit(
        config,
        cohort,
        [fold],
        [0, 1],
        settings,
        "cpu",
        watch=lambda epoch, models: states.append([state(model) for model in models]),
    )
    scores = result.log.validation.values
    ran = np.isfinite(scores[0]).sum()
    assert ran < 12 and (ran - 1 - np.nanargmin(scores, 1)).min() == 2
    for number, best in enumerate(np.nanargmin(scores, 1)):
        assert same(state(result.models[number]), states[best + 1][number])
    held_out = list(fold.held_out)
    dataset = cohort.copy(deep=True)
    dataset["distribution"].values[held_out] = np.nan
    again = fit(config, dataset, [fold], [0, 1], settings, "cpu")
    assert same(state(again.models[0]), state(result.models[0]))


KILLED = """
import sys
from mpcl.data import contract
from mpcl.model.config import MPCLConfig
from mpcl.splits import of_participants
from mpcl.training.loop import fit
from mpcl.training.settings import Settings
dataset = contract.read(sys.argv[1])
fold = of_participants(dataset, ["P01", "P02", "P03"])
fit(MPCLConfig.from_dataset(dataset), dataset, [fold], [0, 1],
    Settings(epochs=200, batch=16), "cpu", checkpoint=sys.argv[2],
    watch=lambda epoch, models: print(epoch, flush=True))
"""


def test_killed_at_a_random_moment_it_goes_on_to_the_same_weights(
    cohort, config, fold, tmp_path
):
    contract.write(cohort, tmp_path / "cohort.nc")
    dataset = contract.read(tmp_path / "cohort.nc")
    command = [
        sys.executable,
        "-c",
        KILLED,
        str(tmp_path / "cohort.nc"),
        str(tmp_path / "state"),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        while "3" not in process.stdout.readline():
            assert process.poll() is None
        seed = np.random.SeedSequence().entropy
        print("the seed of the moment was", seed)  # shown where the test fails
        time.sleep(np.random.default_rng(seed).random() * 0.3)
        os.kill(process.pid, signal.SIGKILL)
        seen = [int(line) for line in process.stdout.read().split()]
    reached = max(seen, default=3)
    settings = Settings(epochs=200, batch=16)
    config = MPCLConfig.from_dataset(dataset)
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
        fit(
            config,
            dataset,
            [fold],
            [0, 1],
            settings,
            "cpu",
            checkpoint=tmp_path / "state",
            resume=True,
            watch=until(reached + 3),
        )
    assert epochs[0] > 3, "nothing was taken from the checkpoint"
    resumed, states = states[reached + 3], {}
    with pytest.raises(Enough):
        fit(config, dataset, [fold], [0, 1], settings, "cpu", watch=until(reached + 3))
    assert same(resumed, states[reached + 3])


def test_a_checkpoint_of_another_run_or_a_damaged_one_is_refused(
    cohort, config, fold, tmp_path
):
    few = Settings(epochs=1, batch=64)
    done = fit(config, cohort, [fold], [0], few, "cpu", checkpoint=tmp_path)
    again = fit(
        config, cohort, [fold], [0], few, "cpu", checkpoint=tmp_path, resume=True
    )
    assert same(state(again.models[0]), state(done.models[0]))
    assert np.array_equal(again.log.loss, done.log.loss)
    with pytest.raises(ParameterError, match="belongs to another run"):
        fit(
            config,
            cohort,
            [fold],
            [0],
            dataclasses.replace(few, mixup=0.1),
            "cpu",
            checkpoint=tmp_path,
            resume=True,
        )
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(DatasetError, match="no whole file of arrays"):
        fit(config, cohort, [fold], [0], few, "cpu", checkpoint=tmp_path, resume=True)


@pytest.mark.parametrize("precision", ["float32", "tf32", "bfloat16"])
def test_other_precisions_train_and_leave_no_trace_behind(
    cohort, config, fold, precision
):
    before = torch.get_float32_matmul_precision()
    result = fit(
        config,
        cohort,
        [fold],
        [0],
        Settings(1, 64, precision=precision),
        "cpu",
    )
    assert (
        result.models[0].bias.dtype == torch.float32
        and np.isfinite(result.log.loss).all()
    )
    assert torch.get_float32_matmul_precision() == before


def test_a_prediction_is_made_by_one_thread(cohort, fold):
    """By two that wait for other work it takes many times as long."""
    train = part(cohort, fold)[0]
    model = MPCL.from_dataset(train, torch.Generator()).double()
    threads = []
    model.register_forward_hook(lambda *_: threads.append(torch.get_num_threads()))
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        predict(model, train, train)
        assert (threads, torch.get_num_threads()) == ([1], 2)
    finally:
        torch.set_num_threads(before)


def test_predict_leaves_the_network_where_it_is(cohort, config, fold, monkeypatch):
    """It computes on another device, of which ``meta`` is one that is always there."""
    train, test = part(cohort, fold)
    model = MPCL.from_dataset(train, torch.Generator()).double()
    monkeypatch.setattr(loop, "device_of", torch.device)
    with pytest.raises(NotImplementedError, match="meta"):  # it holds no numbers
        predict(model, test, train, device="meta")
    assert {value.device.type for value in model.parameters()} == {"cpu"}


def test_a_step_on_fixed_buffers_is_the_plain_step(cohort, config, fold, monkeypatch):
    """What a graphics card replays, without the recording: bit for bit."""
    plain = fit(config, cohort, [fold], [0, 1], QUICK, "cpu")
    made, real = [], Stack.__init__

    def on_buffers(stack, *arguments):
        real(stack, *arguments)
        stack.learn = Replayed(stack.learn, capture=False)
        made.append(stack.learn)

    monkeypatch.setattr(Stack, "__init__", on_buffers)
    fixed = fit(config, cohort, [fold], [0, 1], QUICK, "cpu")
    assert made and all(len(step.buffers) == 6 for step in made)
    for one, two in zip(plain.models, fixed.models, strict=True):
        assert same(state(one), state(two))
    np.testing.assert_array_equal(plain.log.loss, fixed.log.loss)


def test_epochs_drawn_ahead_are_the_same(cohort, config, fold):
    (replica,) = make_replicas([config], cohort, [fold], [0], QUICK)
    stack = Stack([replica], QUICK, torch.device("cpu"))
    training = StackTraining(stack, QUICK)
    stack.device = torch.device("meta")  # a device that is not the processor
    training.stack = Recorder(stack)
    for epoch in range(QUICK.epochs):
        training.epoch = epoch
        training._draw()
    training.pool.shutdown()
    assert training.stack.epochs == list(range(QUICK.epochs))


class Recorder:
    """A stack that notes which epochs were drawn, each once and in order."""

    def __init__(self, stack):
        self.device, self.real, self.epochs = stack.device, stack, []

    def draw(self, epoch):
        self.epochs.append(epoch)
        return self.real.draw(epoch)
