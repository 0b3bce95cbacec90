"""Train DecFlow, end to end.

    python -m mer.decflow.train --data FACES                          # lite, from photographs warped on the fly
    python -m mer.decflow.train --data FACES --resume                 # goes on where it stopped, bit for bit
    python -m mer.decflow.train --data FACES render:ict=FILE@FACES    # and from faces rendered on the fly, in turn
    torchrun --nproc-per-node 2 -m mer.decflow.train --data FACES     # several processes; several machines likewise
    python -m mer.decflow.train --preset raft --init raft_small_C_T_V2-01064c6d.pth --data FFN
    python -m mer.decflow.train --preset paper-1 --init gma-sintel.pth resnet50.pth --data FFN --out one
    python -m mer.decflow.train --preset paper-2 --init one/weights.safetensors --data FFN --out two

FACES is a folder of portraits with `landmarks478.json`; FFN is a folder in FacialFlowNet's layout. The batch is that of
all processes together: two processes take half of it each and follow the same path as one, but for networks with batch
normalization that is trained (paper-1, raft-large) on CPUs, where each process has statistics of its own. The run
folder holds `checkpoint.pt` (everything that `--resume` needs), `log.csv`, and the averaged weights in
`weights.safetensors` with their card.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
import torch.distributed as dist

# Its functions keep, as a default, the group that there is when they are imported. Imported once there is one, as by
# an optimizer, they would hold its threads beyond its end: one run in twenty aborted when all was done (torch 2.13).
import torch.distributed.nn
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader

from mer.decflow.checkpoint import read_checkpoint, save
from mer.decflow.config import PARTS, Config, parse
from mer.decflow.data.sources import Batches, open_source
from mer.decflow.initialize import start_from
from mer.decflow.log import Log
from mer.decflow.losses import Loss, sequence_loss
from mer.decflow.networks import ONE_FIELD, build, predict
from mer.utils.folder_lock import lock_folder
from mer.utils.shutdown import clean_end, one_line_errors
from mer.utils.torch_setup import find_device


def learning_rate(step: int, config: Config) -> float:
    """One cycle: up linearly during the warm-up, then down linearly to nothing."""
    rise = max(1, round(config.warmup * config.steps))
    if step < rise:
        return config.lr * (step + 1) / rise
    return config.lr * max(0.0, (config.steps - step) / max(1, config.steps - rise))


def train(config: Config) -> dict[str, float]:
    """Run (or go on with) a training; returns the last validation."""
    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    torch.set_num_threads(config.threads)
    device = _device(config.device)
    if config.batch % world:
        raise ValueError(f"a batch of {config.batch} does not divide among {world} processes")
    if not config.data:
        raise ValueError("no data; give --data FOLDER (portraits with landmarks478.json, or FacialFlowNet's layout)")
    out = Path(config.out)
    if world > 1:
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        with lock_folder(out) if rank == 0 else contextlib.nullcontext():
            last = _train(config, out, device, rank, world)
        if world > 1:
            dist.barrier()  # the first process validates and saves for longer than the others, which it may still need
        return last
    finally:
        if world > 1:
            gc.collect()  # the parallel network is part of a circle, and holds the group, too
            dist.destroy_process_group()


def _train(config: Config, out: Path, device: torch.device, rank: int, world: int) -> dict[str, float]:
    torch.manual_seed(config.seed)
    network = build(config.network)
    new = start_from(network, config.init)
    if config.init and new and rank == 0:
        print(f"no file has {', '.join(new)}: that starts at random", flush=True)
    if world > 1 and device.type == "cuda":
        network = nn.SyncBatchNorm.convert_sync_batchnorm(network)
    network.to(device)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a fifth faster on a CPU
    # A semantic encoder that has seen nothing is no use as it is: it learns along.
    trained = trainable(network, config.train, along="dad_encoder" in new)
    optimizer = torch.optim.AdamW(trained, lr=config.lr, weight_decay=config.weight_decay, eps=1e-8)
    average = {name: value.detach().clone() for name, value in network.state_dict().items()}
    step, checkpoint, sums = 0, out / "checkpoint.pt", {}
    if config.resume and checkpoint.exists():
        state = read_checkpoint(checkpoint, device, config)
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        average, step, sums = state["average"], state["step"], state["sums"]
        if rank == 0:
            print(f"{checkpoint}: {step} of {config.steps} steps are done", flush=True)
    elif config.resume and rank == 0:
        print(f"{checkpoint} is not there: it begins at the first step", flush=True)
    elif checkpoint.exists():
        raise ValueError(f"{out} holds a run already; add --resume to go on with it, or choose another --out")
    loss = Loss(
        facial=config.facial, head=config.head, expression=config.expression, gamma=config.gamma,
        face_mask=config.face_mask, occlusion_mask=config.occlusion_mask, power=config.power,
    )  # fmt: skip

    if config.network in ONE_FIELD:
        loss = replace(loss, head=0.0, expression=0.0)
    # In a single iteration, what the lite decoder would hand on to the next one gets no gradient.
    unused = config.network == "lite" and config.iterations == 1
    parallel = DistributedDataParallel(network, find_unused_parameters=unused) if world > 1 else network
    batches = _batches(config, step, rank, world, device)
    validation = _validation_pairs(config) if rank == 0 else []
    log = Log(out / "log.csv", step, tensorboard=config.tensorboard) if rank == 0 else None
    began = saved = time.monotonic()
    result: dict[str, float] = {}
    while step < config.steps:
        batch = next(batches)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, config)
        parallel.train()
        _keep_frozen(network)
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            iterates = predict(parallel, batch, config.iterations, all_iterates=True)
        total, epe = sequence_loss([(f.float(), h.float()) for f, h in iterates], batch, loss)
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        norm = nn.utils.clip_grad_norm_(trained, config.clip)
        if not torch.isfinite(norm):
            raise RuntimeError(f"the gradient is not finite at step {step}; the last checkpoint is whole")
        optimizer.step()
        step += 1
        _follow(average, network, min(config.ema, (1 + step) / (10 + step)))
        for name, value in {"loss": total.detach(), **epe}.items():
            sums[name] = sums.get(name, 0.0) + _mean_over_processes(value, world)

        last = step == config.steps
        out_of_time = config.stop_minutes > 0 and time.monotonic() - began > 60 * config.stop_minutes
        if world > 1:  # clocks differ: the first process decides
            flag = torch.tensor([float(out_of_time)], device=device)
            dist.broadcast(flag, 0)
            out_of_time = bool(flag.item())
        if log is not None and (step % config.log_every == 0 or last):
            count = config.log_every if step % config.log_every == 0 else step % config.log_every
            log.write(step, "train", {name: value / count for name, value in sums.items()})
        if step % config.log_every == 0:
            sums = {}
        if log is not None and (step % config.val_every == 0 or last):
            result = _validate(network, average, validation, config, device, log, step)
        if rank == 0 and (last or out_of_time or time.monotonic() - saved > 60 * config.save_minutes):
            save(out, network, optimizer, average, step, sums, config, result)
            saved = time.monotonic()
        if out_of_time:
            break
    return result


def trainable(network: nn.Module, part: str, *, along: bool = False) -> list[nn.Parameter]:
    """The parameters that a stage trains; all others are frozen.

    The paper's ResNet-50 is frozen, unless it learns `along`; what is never run, as its last stage, always is.
    """
    if part not in PARTS:
        raise ValueError(f"no part {part!r} to train; there are {' and '.join(PARTS)}")
    idle = ("dad_encoder.model.3.", "att.pos_emb.") + (() if along else ("dad_encoder.",))
    for name, parameter in network.named_parameters():
        frozen = name.startswith(idle)
        if part == "head":
            frozen = not name.startswith(("update_block_head", "decoders.head"))
        parameter.requires_grad_(not frozen)
    return [parameter for parameter in network.parameters() if parameter.requires_grad]


def _keep_frozen(network: nn.Module) -> None:
    """Batch normalization in front of frozen weights keeps its statistics, or the frozen part would drift."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d) and not module.weight.requires_grad:
            module.eval()


@torch.no_grad()
def _follow(average: dict[str, Tensor], network: nn.Module, decay: float) -> None:
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            average[name].lerp_(value, 1 - decay)
        else:
            average[name].copy_(value)


def _batches(config: Config, step: int, rank: int, world: int, device: torch.device) -> Iterator[dict[str, Tensor]]:
    dataset = Batches([open_source(path, "train") for path in config.data], config.size, config.seed)
    share = config.batch // world
    numbers = [
        list(range(s * config.batch + rank * share, s * config.batch + (rank + 1) * share))
        for s in range(step, config.steps)
    ]
    loader = DataLoader(dataset, batch_sampler=numbers, num_workers=config.workers)
    return ({name: value.to(device, non_blocking=True) for name, value in batch.items()} for batch in loader)


def _validation_pairs(config: Config) -> list[dict[str, Tensor]]:
    """The same pairs at every validation, of people that are never trained on (and never those of `test`).

    A folder that holds train people alone (`mer synth --split train`) has no part in it.
    """
    sources, reasons = [], []
    for path in config.data:
        try:
            sources.append(open_source(path, "val"))
        except ValueError as error:
            reasons.append(str(error))
    if not sources:
        raise ValueError(f"no people to validate on: {reasons[0]}")
    dataset = Batches(sources, config.size, seed=config.seed + 1)
    return [dataset[n] for n in range(config.val_pairs)]


@torch.no_grad()
def _validate(
    network: nn.Module,
    average: dict[str, Tensor],
    pairs: list[dict[str, Tensor]],
    config: Config,
    device: torch.device,
    log: Log,
    step: int,
) -> dict[str, float]:
    """Masked end-point errors of the averaged weights."""
    current = {name: value.clone() for name, value in network.state_dict().items()}
    network.load_state_dict(average)
    network.eval()
    sums: dict[str, float] = {}
    for n, pair in enumerate(pairs):
        batch = {name: value[None].to(device) for name, value in pair.items()}
        iterates = predict(network, batch, config.iterations)
        for name, value in sequence_loss(iterates, batch, Loss())[1].items():
            sums[name] = sums.get(name, 0.0) + value.item() / len(pairs)
        if n == 0:
            log.picture(step, batch, iterates[-1])
    network.load_state_dict(current)
    log.write(step, "val", sums)
    return sums


def _mean_over_processes(value: Tensor, world: int) -> float:
    if world > 1:
        value = value.clone()
        dist.all_reduce(value)
        value /= world
    return float(value)


def _device(name: str) -> torch.device:
    """The device of this process: of several GPUs, the one that `torchrun` gives it."""
    device = torch.device(find_device(name))
    if device.type == "cuda":
        if device.index is None:
            device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
        torch.cuda.set_device(device)
    return device


def main(arguments: list[str] | None = None) -> int:
    config = parse(arguments, __doc__)
    with clean_end(
        "mer train decflow", "run it again with --resume to go on from the last checkpoint, if there is one"
    ):
        train(config)
    return 0


if __name__ == "__main__":
    with one_line_errors("mer.decflow.train", debug="--debug" in sys.argv):
        sys.exit(main([argument for argument in sys.argv[1:] if argument != "--debug"]))
