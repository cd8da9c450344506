"""Does the GPU compute the same as the CPU, and how fast? Called by run.py --bench; nothing is trained."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from antiphon.data.prepared import Prepared
from antiphon.networks.generators.instrument import SIZES, InstrumentGenerator
from antiphon.networks.model import InstrumentModel
from antiphon.recipes.instrument import instrument
from antiphon.training.batches.excerpts import Excerpts, ExcerptSource
from antiphon.training.contract import StepContext
from antiphon.training.loop import new_game
from antiphon.training.losses.partials import partials_loss
from antiphon.training.parallel import own_device
from antiphon.voices.find import load

BATCHES = (16, 64, 128, 256)


def bench(data: Path, voice: str, batches: tuple[int, ...] = BATCHES, repeats: int = 10) -> dict[str, Any]:
    """voice: a voice's name, or the size of an untrained one. -> figures by name"""
    prepared, device = Prepared(data), own_device()
    recipe = instrument(voice if voice in SIZES else "base")
    game = new_game(prepared, recipe)
    model = game.model if voice in SIZES else load(voice).model
    source = ExcerptSource(prepared, recipe.samples, 0)
    few = source.batch(0, 16)
    found: dict[str, Any] = {"device": str(device), **agreement(model, few, device)}
    model.to(device)
    found |= notes_a_second(model, few.to(device), repeats)
    game.to(device)
    for count in batches:
        batch = source.batch(1000, count).to(device)
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        try:
            seconds = timed(
                lambda b=batch, n=count: game.step(b, StepContext(2000, 1.0, n), torch.Generator().manual_seed(0)),
                repeats,
                device,
            )  # type: ignore[misc]
        except torch.cuda.OutOfMemoryError:
            found[f"batch_{count}"] = "out of memory"
            torch.cuda.empty_cache()
            continue
        found[f"batch_{count}"] = {"steps_a_second": round(1 / seconds, 2), "crops_a_second": round(count / seconds)}
        if device.type == "cuda":
            found[f"batch_{count}"]["peak_gib"] = round(torch.cuda.max_memory_allocated() / 2**30, 1)
    return found


@torch.no_grad()
def agreement(model: InstrumentModel, batch: Excerpts, device: torch.device) -> dict[str, Any]:
    """Sound and partials' loss of one batch on the processor (note by note) and on the device (all at once): largest
    difference relative to the loudest sample, and relative difference. Float32; below 1e-3 is rounding."""
    outcome = []
    w = model.cpu().encoder(batch.reference, batch.reference_pitch, batch.reference_release)
    for place in (torch.device("cpu"), device):
        generator, there = model.to(place).generator, batch.to(place)
        curves = generator.curves(w.to(place), there.gesture)
        partials = generator.all_partials(curves, there.gesture, there.tuning)
        loss = partials_loss(partials, there.gesture, there.audio)
        outcome.append((generator.sound(partials, curves, there.gesture).cpu(), float(loss)))
    (here, loss_here), (far, loss_far) = outcome
    apart = float((here - far).abs().max() / here.abs().max())
    return {"sound_differs_by": apart, "partials_loss_differs_by": abs(loss_far / loss_here - 1)}


@torch.inference_mode()
def notes_a_second(model: InstrumentModel, few: Excerpts, repeats: int) -> dict[str, Any]:
    """Crops of 0.74 s per second that the generator plays: sixteen copies of a batch at once, and note by note."""
    generator: InstrumentGenerator = model.generator
    device = few.audio.device
    w = model.encoder(few.reference, few.reference_pitch, few.reference_release)
    g, tuning = few.gesture, few.tuning
    repeat = 16 if device.type == "cuda" else 1

    def many(part: Any) -> Any:
        own = {k: v.repeat(repeat, *[1] * (v.dim() - 1)) for k, v in vars(part).items() if isinstance(v, torch.Tensor)}
        return replace(part, **own)

    wide, gestures, tunings = w.repeat(repeat, 1), many(g), many(tuning)

    def one_by_one() -> None:
        for i in range(len(w)):
            at = slice(i, i + 1)
            generator(w[at], g[at], tuning[at])

    together = timed(lambda: generator(wide, gestures, tunings), repeats, device)
    alone = timed(one_by_one, repeats, device)
    return {"notes_a_second": round(len(wide) / together), "one_by_one_notes_a_second": round(len(w) / alone)}


def timed(work: Callable[[], Any], repeats: int, device: torch.device) -> float:
    """Mean seconds of a call, after three for warming up."""
    for _ in range(min(3, repeats)):
        work()
    _wait(device)
    began = time.perf_counter()
    for _ in range(repeats):
        work()
    _wait(device)
    return (time.perf_counter() - began) / repeats


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()
