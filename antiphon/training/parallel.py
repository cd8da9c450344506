"""Several processes, one game: each plays its own excerpts, and gradients are averaged. They are started by `antiphon
train` itself (verbs/helpers.py) or by `torchrun`; a single process is the same code with a world of one."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor

LOOPBACK = {"linux": "lo", "darwin": "lo0"}  # gloo would look up the host name, which may not resolve on a laptop
PATIENCE = timedelta(days=7)  # a run may be suspended


def join() -> tuple[int, int]:
    """Join the group that torchrun describes in the environment, unless already in one. -> (rank, world)"""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not dist.is_initialized():
        if torch.cuda.is_available():
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))  # a card each
        dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    return (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)


@contextmanager
def first_process_first() -> Iterator[bool]:
    """Under torchrun, the first process runs the block before the others do, and they find what it made. -> whether
    this is the first"""
    rank, world = join()
    if rank > 0:
        dist.barrier()
    yield rank == 0
    if world > 1 and rank == 0:
        dist.barrier()


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Use `count` threads inside the block; a resumed run uses as many as before, so that it gets the same weights."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def meet(place: str, rank: int, world: int) -> None:
    """Join a group of processes on this computer, by a file that does not exist yet and is not needed afterwards."""
    before = os.environ.get("GLOO_SOCKET_IFNAME")
    if before is None and sys.platform in LOOPBACK:
        os.environ["GLOO_SOCKET_IFNAME"] = LOOPBACK[sys.platform]
    try:
        store = dist.FileStore(place, world)  # as a URL, a place with a space in its name would be another one
        dist.init_process_group("gloo", store=store, rank=rank, world_size=world, timeout=PATIENCE)
        dist.barrier()
    finally:
        if before is None:
            os.environ.pop("GLOO_SOCKET_IFNAME", None)


def own_device() -> torch.device:
    """This process's graphics card, or the processor if there is none."""
    return torch.device("cuda", torch.cuda.current_device()) if torch.cuda.is_available() else torch.device("cpu")


def leave() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()


@torch.no_grad()
def average_gradients(parameters: list[Tensor]) -> None:
    """Replace each gradient by its mean over the processes, in one message. Parameters without a gradient are left
    alone, so every process must have used the same ones."""
    if not dist.is_initialized():
        return
    grads = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([g.flatten() for g in grads])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    for g, mean in zip(grads, flat.split([g.numel() for g in grads]), strict=True):
        g.copy_(mean.view_as(g))


def of_all_processes(x: Tensor) -> Tensor:
    """(world * batch, ...): every process's (batch, ...), in order of rank, the same in all processes."""
    if not dist.is_initialized():
        return x
    parts = [torch.empty_like(x) for _ in range(dist.get_world_size())]
    dist.all_gather(parts, x.contiguous())
    return torch.cat(parts)


def any_process(flag: bool) -> bool:
    """True in every process if `flag` is true in one."""
    if not dist.is_initialized():
        return flag
    device = "cuda" if dist.get_backend() == "nccl" else "cpu"
    votes = torch.tensor([float(flag)], device=device)
    dist.all_reduce(votes, dist.ReduceOp.MAX)
    return bool(votes.item())


def of_the_first(values: list[float], device: torch.device) -> list[float]:
    """The first process's numbers, in every process."""
    if not dist.is_initialized():
        return values
    sent = torch.tensor(values, dtype=torch.float64, device=device)
    dist.broadcast(sent, 0)
    return [float(v) for v in sent]
