"""The training loop: one process or several, with validation, checkpoints and a log."""

from __future__ import annotations

import contextlib
import gc
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
import torch.distributed as dist

# Its functions keep, as a default argument, the process group that exists when they are imported. If an optimizer
# imports them later, they keep that group's threads alive after its end, and one run in twenty aborts (torch 2.13).
import torch.distributed.nn
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader

from mer.decflow.checkpoint import TrainingState, read_checkpoint, save
from mer.decflow.config import Config
from mer.decflow.data.sources import Batches, open_source
from mer.decflow.initialize import start_from
from mer.decflow.log import Log
from mer.decflow.losses import Loss, sequence_loss
from mer.decflow.networks import ONE_FIELD, build, predict
from mer.decflow.optimization import freeze_statistics, learning_rate, trainable, update_average
from mer.utils.folder_lock import lock_folder
from mer.utils.torch_setup import find_device


def run(config: Config) -> dict[str, float]:
    """Train a network or resume training; returns the errors of the last validation, in pixels."""
    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    torch.set_num_threads(config.threads)
    device = _device(config.device)
    if config.batch % world:
        raise ValueError(f"a batch of {config.batch} cannot be divided among {world} processes")
    if not config.data:
        raise ValueError("no data; give --data FOLDER (portraits with landmarks478.json, or FacialFlowNet's layout)")
    out = Path(config.out)
    if world > 1:
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        with lock_folder(out) if rank == 0 else contextlib.nullcontext():
            last = _train(config, out, device, rank, world)
        if world > 1:
            dist.barrier()  # the first process validates and saves after the others are done, and may still need them
        return last
    finally:
        if world > 1:
            gc.collect()  # the parallel network is part of a reference cycle, and holds the group too
            dist.destroy_process_group()


def _train(config: Config, out: Path, device: torch.device, rank: int, world: int) -> dict[str, float]:
    state = _initial_state(config, out / "checkpoint.pt", device, rank, world)
    network, optimizer = state.network, state.optimizer
    parameters = optimizer.param_groups[0]["params"]
    loss = Loss(
        facial=config.facial, head=config.head, expression=config.expression, gamma=config.gamma,
        face_mask=config.face_mask, occlusion_mask=config.occlusion_mask, power=config.power,
    )  # fmt: skip
    if config.network in ONE_FIELD:
        loss = replace(loss, head=0.0, expression=0.0)
    # With a single iteration, the hidden state that the lite decoder would pass to the next one gets no gradient.
    unused = config.network == "lite" and config.iterations == 1
    parallel = DistributedDataParallel(network, find_unused_parameters=unused) if world > 1 else network
    batches = _batches(config, state.step, rank, world, device)
    validation = _validation_pairs(config) if rank == 0 else []
    log = Log(out / "log.csv", state.step, tensorboard=config.tensorboard) if rank == 0 else None
    began = saved = time.monotonic()
    result: dict[str, float] = {}
    while state.step < config.steps:
        batch = next(batches)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(state.step, config)
        parallel.train()
        freeze_statistics(network)
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            iterates = predict(parallel, batch, config.iterations, all_iterates=True)
        total, epe = sequence_loss([(f.float(), h.float()) for f, h in iterates], batch, loss)
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        norm = nn.utils.clip_grad_norm_(parameters, config.clip)
        if not torch.isfinite(norm):
            raise RuntimeError(f"the gradient is not finite at step {state.step}; the last checkpoint is intact")
        optimizer.step()
        state.step += 1
        update_average(state.average, network, min(config.ema, (1 + state.step) / (10 + state.step)))
        for name, value in {"loss": total.detach(), **epe}.items():
            state.sums[name] = state.sums.get(name, 0.0) + _mean_over_processes(value, world)

        last = state.step == config.steps
        out_of_time = config.stop_minutes > 0 and time.monotonic() - began > 60 * config.stop_minutes
        if world > 1:  # clocks differ: the first process decides
            decision = torch.tensor([float(out_of_time)], device=device)
            dist.broadcast(decision, 0)
            out_of_time = bool(decision.item())
        steps_since_report = state.step % config.log_every or config.log_every
        if log is not None and (steps_since_report == config.log_every or last):
            log.write(state.step, "train", {name: value / steps_since_report for name, value in state.sums.items()})
        if steps_since_report == config.log_every:
            state.sums = {}
        if log is not None and (state.step % config.val_every == 0 or last):
            result = _validate(state, validation, config, device, log)
        if rank == 0 and (last or out_of_time or time.monotonic() - saved > 60 * config.save_minutes):
            save(out, state, config, result)
            saved = time.monotonic()
        if out_of_time:
            break
    return result


def _initial_state(config: Config, checkpoint: Path, device: torch.device, rank: int, world: int) -> TrainingState:
    """The state before the first step of this process, from `--init` or from the checkpoint."""
    torch.manual_seed(config.seed)
    network = build(config.network)
    random_parts = start_from(network, config.init)
    if config.init and random_parts and rank == 0:
        print(f"no file has {', '.join(random_parts)}: random initial weights", flush=True)
    if world > 1 and device.type == "cuda":
        network = nn.SyncBatchNorm.convert_sync_batchnorm(network)
    network.to(device)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # 20 % faster on a CPU
    # A semantic encoder with random weights is useless if it is frozen, so it is trained.
    parameters = trainable(network, config.train, semantic_encoder="dad_encoder" in random_parts)
    optimizer = torch.optim.AdamW(parameters, lr=config.lr, weight_decay=config.weight_decay, eps=1e-8)
    average = {name: value.detach().clone() for name, value in network.state_dict().items()}
    state = TrainingState(network, optimizer, average)
    if config.resume and checkpoint.exists():
        state.restore(read_checkpoint(checkpoint, device, config))
        if rank == 0:
            print(f"{checkpoint}: {state.step} of {config.steps} steps are done", flush=True)
    elif config.resume and rank == 0:
        print(f"no {checkpoint}: training starts from scratch", flush=True)
    elif checkpoint.exists():
        raise ValueError(
            f"{checkpoint.parent} already contains a run; add --resume to continue it, or use another --out"
        )
    return state


def _batches(config: Config, step: int, rank: int, world: int, device: torch.device) -> Iterator[dict[str, Tensor]]:
    """The batches from `step` on, or this process's part of each."""
    dataset = Batches([open_source(path, "train") for path in config.data], config.size, config.seed)
    share = config.batch // world
    numbers = [
        list(range(s * config.batch + rank * share, s * config.batch + (rank + 1) * share))
        for s in range(step, config.steps)
    ]
    loader = DataLoader(dataset, batch_sampler=numbers, num_workers=config.workers)
    return ({name: value.to(device, non_blocking=True) for name, value in batch.items()} for batch in loader)


def _validation_pairs(config: Config) -> list[dict[str, Tensor]]:
    """Pairs of `val` people, the same at every validation.

    Sources without `val` people, such as a folder made by `mer synth --split train`, are skipped.
    """
    sources, reasons = [], []
    for path in config.data:
        try:
            sources.append(open_source(path, "val"))
        except ValueError as error:
            reasons.append(str(error))
    if not sources:
        raise ValueError(f"no people to validate on: {reasons[0]}")
    for reason in reasons:
        print(f"not validated on: {reason}", flush=True)
    dataset = Batches(sources, config.size, seed=config.seed + 1)
    return [dataset[n] for n in range(config.val_pairs)]


@torch.no_grad()
def _validate(
    state: TrainingState, pairs: list[dict[str, Tensor]], config: Config, device: torch.device, log: Log
) -> dict[str, float]:
    """Masked end-point errors of the averaged weights, in pixels."""
    network = state.network
    current = {name: value.clone() for name, value in network.state_dict().items()}
    network.load_state_dict(state.average)
    network.eval()
    errors: dict[str, float] = {}
    for n, pair in enumerate(pairs):
        batch = {name: value[None].to(device) for name, value in pair.items()}
        iterates = predict(network, batch, config.iterations)
        for name, value in sequence_loss(iterates, batch, Loss())[1].items():
            errors[name] = errors.get(name, 0.0) + value.item() / len(pairs)
        if n == 0:
            log.picture(state.step, batch, iterates[-1])
    network.load_state_dict(current)
    log.write(state.step, "val", errors)
    return errors


def _mean_over_processes(value: Tensor, world: int) -> float:
    if world > 1:
        value = value.clone()
        dist.all_reduce(value)
        value /= world
    return float(value)


def _device(name: str) -> torch.device:
    """The device of this process; if there are several GPUs, the one that `torchrun` assigns."""
    device = torch.device(find_device(name))
    if device.type == "cuda":
        if device.index is None:
            device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
        torch.cuda.set_device(device)
    return device
