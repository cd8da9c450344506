"""The loop around the game: budget, checkpoints, log and previews. A run is a folder; the same call resumes it."""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from antiphon.core.atomic import atomic
from antiphon.core.errors import AntiphonError
from antiphon.core.run_files import HEALTHY, LOG, SETTINGS, SKIPPED, STATE, WEIGHTS
from antiphon.core.stopping import held, listening
from antiphon.training.contract import Batch, Game
from antiphon.training.ema import Ema
from antiphon.training.health.monitor import Action, Monitor
from antiphon.training.parallel import any_process, join, leave, own_device
from antiphon.training.prefetch import Prefetcher
from antiphon.training.recipe import Data, Recipe
from antiphon.training.reports.page import write_page
from antiphon.training.reports.progress import Log, Progress
from antiphon.training.run_folder import keep_healthy
from antiphon.training.state import load_state, save_state
from antiphon.voices.checkpoint import read_metadata, read_tensors, save_voice
from antiphon.voices.kind import voice_of
from antiphon.voices.voice import Voice, VoiceInfo

CHECKPOINT_SECONDS = 45  # what a kill -9 may cost
PREVIEWS = 8  # per run
CALIBRATION = (5, 30)  # steps between which `minutes` are turned into a number of steps


def new_game(data: Data, recipe: Recipe[Any]) -> Game:
    """Untrained players, whose weights depend on the recipe's seed."""
    torch.manual_seed(recipe.seed)
    return recipe.new_game(data)


class Run:
    """One training run in its folder.

    state.safetensors: all that is needed to resume. weights.safetensors: the voice so far. config.json: the recipe.
    log.jsonl: a line of losses every few steps. sheets/, sounds/: previews made on the way. page.html: how it is
    doing, for a person. healthy.safetensors: the last healthy state.
    """

    def __init__(self, folder: Path, data: Data, recipe: Recipe[Any], info: VoiceInfo, device: str | None = None):
        self.folder, self.data, self.recipe = folder, data, recipe
        self.rank, self.world = join()
        self.device = torch.device(device) if device else own_device()
        self.game = new_game(data, recipe).to(self.device)
        self.ema = Ema(self.game.model, recipe.average)
        self.source = recipe.source(data)
        self.monitor = Monitor(self.game, recipe, data, self.device, self.rank)
        self.batch = self._batch if self.device.type == "cpu" else Prefetcher(self._batch)
        self.info = info
        self.step, self.total, self.seconds = 0, 0, 0.0
        self.processor = 0.0  # seconds of processor time that the steps have taken here, however busy the machine was
        self.skipped = 0
        self.timed = False
        self.start_from: str | None = None

    # ---- budget ------------------------------------------------------------------------------------------------------

    def resume(self) -> bool:
        """Go on from the folder's state if it has one. -> whether it had"""
        if not (self.folder / STATE).exists():
            return False
        progress = load_state(self.folder / STATE, self.game, self.ema)
        try:
            self.step, self.total = int(progress["step"]), int(progress["total"])
            self.seconds, self.skipped = float(progress["seconds"]), int(progress["skipped"])
            self.processor = float(progress.get("processor", 0.0))
        except (KeyError, TypeError, ValueError):
            raise AntiphonError(f"the state in {self.folder} is damaged: start again in another folder") from None
        self.start_from = progress.get("start_from")
        self.monitor.load(progress.get("watch"))
        if self.rank == 0 and self.monitor.remembered == self.step and _step_of(self.folder / HEALTHY) != self.step:
            keep_healthy(self.folder)  # a kill prevented it
        return True

    def complete(self, steps: int | None) -> bool:
        """Whether the run has done `steps` steps, or as many as it was to have."""
        return self.step >= (steps or self.total or math.inf)

    def start_warm(self, voice: Voice, name: str, players: Path | None = None) -> list[str]:
        """Begin from a voice's weights (and its critics', if published). -> names of those that could not be used"""
        self.start_from = name
        tensors = read_tensors(players)[0] if players is not None and players.exists() else {}
        critic_weights = {k.removeprefix("game.").removeprefix("critics."): v.float() for k, v in tensors.items()}
        left = self.game.begin_from(voice, critic_weights)
        self.ema.module.load_state_dict(self.game.model.state_dict())
        return left

    def save(self) -> None:
        if self.rank == 0:
            progress: dict[str, Any] = {"step": self.step, "total": self.total, "seconds": round(self.seconds, 1)}
            progress |= {"processor": round(self.processor, 1), "skipped": self.skipped}
            progress |= {"start_from": self.start_from, "watch": self.monitor.state()}
            save_state(self.folder / STATE, self.game, self.ema, progress)
            save_voice(self.folder / WEIGHTS, self.ema.module, self._info())
            write_page(self.folder, self.monitor.outlook())

    def _info(self) -> VoiceInfo:
        training: dict[str, Any] = {"steps": self.step, "seed": self.recipe.seed, "processes": self.world}
        if self.timed:  # no two such runs are the same anyway, but runs given in steps are, byte for byte
            training["seconds"] = round(self.seconds)
        training |= {"device": self.device.type, "batch": self.recipe.batch, "start_from": self.start_from}
        training |= {**self.info.training, "skipped_steps": self.skipped}
        return VoiceInfo(**(vars(self.info) | {"training": training}))

    # ---- the loop ----------------------------------------------------------------------------------------------------

    def train(self, steps: int | None = None, minutes: float | None = None, quiet: bool = False) -> Path:
        """Train until `steps` are done, or as many as fit into `minutes` on this machine (measured once). Returns the
        voice's path.

        Ctrl-C, SIGTERM and SIGHUP become a flag that the loop checks between steps, so that no step is cut in half: it
        saves and raises KeyboardInterrupt; the same call resumes."""
        with listening(), held() as stopping:
            return self._train(steps, minutes, quiet, stopping)

    def _train(self, steps: int | None, minutes: float | None, quiet: bool, stopping: Callable[[], bool]) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.rank == 0:
            settings: dict[str, Any] = asdict(self.recipe)  # type: ignore[call-overload]
            _write_json(self.folder / SETTINGS, settings | {"data": str(self.data.path)})
        self.timed = steps is None
        if steps is not None:
            self.total = steps
        elif not self.total and minutes is None:
            raise AntiphonError("give the length of the training: --steps N or --minutes M")
        log = Log(self.folder / LOG, self.step) if self.rank == 0 else None
        with Progress(self.step, self.total, quiet or self.rank > 0, self.recipe.shown) as bar:
            self._take(self.monitor.before(self.step))
            saved = began = time.monotonic()
            first, before = self.step, self.seconds
            while not self.total or self.step < self.total:
                used = time.process_time()
                scalars = self._one_step()
                self.processor += time.process_time() - used
                self.seconds = before + time.monotonic() - began
                self._calibrate(first, minutes)
                if log:
                    log.add(self.step, scalars)
                bar.update(self.step, self.total, scalars, self.skipped, self.monitor.word)
                self._tell(bar, log)
                self._preview_if_due(bar)
                if any_process(stopping()):
                    self.save()
                    raise KeyboardInterrupt
                if time.monotonic() - saved > CHECKPOINT_SECONDS:
                    self.save()
                    saved = time.monotonic()
            self.save()
        leave()
        return self.folder / WEIGHTS

    def _one_step(self) -> dict[str, float]:
        batch = self.batch(self.step)
        seed = (self.recipe.seed * 1_000_003 + self.step) * 64 + self.rank
        torch.manual_seed((1 << 62) + seed)  # for dropout and the like, which use torch's own generator
        rng = torch.Generator().manual_seed(seed)
        moved = self.game.step(batch, self.monitor.adjusted(self.recipe.at(self.step, self.total)), rng)
        scalars = {k: float(v) for k, v in moved.items()}
        broken = [k for k, v in scalars.items() if not math.isfinite(v)]
        if broken:
            self.skipped += 1
            scalars = {k: v for k, v in scalars.items() if math.isfinite(v)} | {"skipped": float(self.skipped)}
            with open(self.folder / SKIPPED, "a") as f:
                f.write(f"step {self.step}: not finite: {', '.join(broken)}\n")
        self.ema.update(self.game.model, self.step)
        self.step += 1
        self._take(self.monitor.after(self.step, scalars, bool(broken)))
        return scalars | self.monitor.figures

    def _take(self, action: Action) -> None:
        """Keep this state as a healthy one, or go back to the last of them."""
        if action is Action.REMEMBER:
            self.save()
            if self.rank == 0:
                keep_healthy(self.folder)
        elif action is Action.RETURN:
            load_state(self.folder / HEALTHY, self.game, self.ema)

    def _tell(self, bar: Progress, log: Log | None) -> None:
        for words in self.monitor.news:
            bar.say(words)
            if log:
                log.say(self.step, words)

    def _batch(self, step: int) -> Batch:
        count = self.recipe.at(step, self.total).count
        batch: Batch = self.source.batch((step * self.world + self.rank) * count, count).to(self.device)
        return batch

    def _calibrate(self, first: int, minutes: float | None) -> None:
        """Turn minutes into steps, once, from how long steps took; stored, so that a resumed run ends the same."""
        if self.total or minutes is None:
            return
        if self.step - first == CALIBRATION[0]:
            self._mark = time.monotonic()
        if self.step - first == CALIBRATION[1]:
            now = time.monotonic()
            pace = (now - self._mark) / (CALIBRATION[1] - CALIBRATION[0])
            left = max(minutes * 60 * 0.97 - self.seconds, 0)
            self.total = self.step + max(int(left / pace), 1)
            if self.world > 1:  # all processes must agree on the number
                agreed = torch.tensor([self.total], device=self.device)
                torch.distributed.broadcast(agreed, 0)
                self.total = int(agreed)
            self.save()

    def _preview_if_due(self, bar: Progress) -> None:
        every = max(self.total // PREVIEWS, 1) if self.total else 0
        if self.rank or not every or (self.step % every and self.step != self.total):
            return
        voice = voice_of(copy.deepcopy(self.ema.module).cpu(), self.info)  # on the CPU, as it will be used
        bar.say(f"sheet: {self.game.preview(voice, self.data, self.folder, self.step)}")


def _write_json(path: Path, value: Any) -> None:
    with atomic(path) as draft:
        draft.write_text(json.dumps(value, indent=2) + "\n")


def _step_of(path: Path) -> int | None:
    return int(read_metadata(path)["step"]) if path.exists() else None
