"""A run's state in a third of its bytes, to carry from one machine to the next: weights and the bank of styles in half
precision, the averaged weights from the voice beside it, Adam's second moments in bfloat16. Its first moments are left
out: with beta1 of 0.8 or less they span a few steps, and restarting from zero only makes those steps smaller."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from torch import Tensor

from antiphon.voices.checkpoint import read_tensors, write_tensors

STATE, VOICE, LOG, PART = "state.safetensors", "weights.safetensors", "log.jsonl", "small-state."
MOST = 15 << 20  # bytes per part


def shrink(run: Path, out: Path) -> list[Path]:
    """Write a run's voice, log and small state into `out`. -> the files written"""
    tensors, progress = read_tensors(run / STATE)
    small = {k: _small(k, v) for k, v in tensors.items() if not k.startswith("ema.") and not k.endswith(".exp_avg")}
    whole = out / STATE
    write_tensors(whole, small, progress)
    body = whole.read_bytes()
    whole.unlink()
    written = []
    for number, first in enumerate(range(0, len(body), MOST)):
        written.append(out / f"{PART}{number}")
        written[-1].write_bytes(body[first : first + MOST])
    for name in (VOICE, LOG):
        if (run / name).exists():
            written.append(Path(shutil.copy(run / name, out / name)))
    return written


def restore(folder: Path, run: Path) -> None:
    """Restore a run's folder from the files that `shrink` wrote."""
    run.mkdir(parents=True, exist_ok=True)
    whole = run / f"{STATE}.small"
    whole.write_bytes(b"".join(p.read_bytes() for p in sorted(folder.glob(f"{PART}*"))))
    small, progress = read_tensors(whole)
    whole.unlink()
    tensors = {k: v.float() if v.is_floating_point() else v for k, v in small.items()}
    second = {k: v for k, v in tensors.items() if k.endswith(".exp_avg_sq")}
    tensors |= {k.removesuffix("_sq"): torch.zeros_like(v) for k, v in second.items()}
    tensors |= {f"ema.{k}": v.float() for k, v in read_tensors(folder / VOICE)[0].items()}
    write_tensors(run / STATE, tensors, progress)
    for name in (VOICE, LOG):
        if (folder / name).exists():
            shutil.copy(folder / name, run / name)


def _small(name: str, tensor: Tensor) -> Tensor:
    if not tensor.is_floating_point() or name.endswith(".step"):
        return tensor
    return tensor.bfloat16() if name.endswith(".exp_avg_sq") else tensor.half()
