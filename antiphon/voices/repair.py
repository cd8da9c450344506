"""A voice that repairs recordings: sound in, the same sound out, with less wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from antiphon.audio.files import read_audio
from antiphon.audio.ops import resample
from antiphon.core.errors import AntiphonError
from antiphon.data.analysis.wear import Listener
from antiphon.networks.generators.repair import BINS, HEADS, REACH, Repair, RepairConfig
from antiphon.voices.capabilities import Transforms
from antiphon.voices.kind import Kind, check_sizes, read_labels, read_numbers, write_config
from antiphon.voices.mending import AUTO, Mending, chosen
from antiphon.voices.repair_stream import RepairStream


class RepairVoice(Transforms):
    """It plays no notes. Its `instruments` are the damages that it can be told of."""

    kind = "repair"
    linked = True
    model: Repair

    def describe(self) -> str:
        return f"no notes: it repairs recordings ({', '.join(self.instruments)})"

    def stream(
        self, told: Tensor, channels: int, strength: float = 1.0, mask: np.ndarray | None = None
    ) -> RepairStream:
        """The network alone, for sound that comes in blocks at 44.1 kHz."""
        return RepairStream(self.model, told, channels, strength, mask)

    def transform(
        self, audio: np.ndarray, sample_rate: int, what: str | Sequence[str] = AUTO, strength: float = 1.0
    ) -> np.ndarray:
        """A sound repaired, as long as it was. what: auto for whatever is heard to be wrong with it, or names of
        damages, "noise,hum". strength: 0..1, how much of the change is made."""
        sound = resample(np.asarray(audio, np.float32), sample_rate, self.sample_rate)
        whole = sound if sound.ndim == 2 else sound[:, None]
        listener = Listener()
        listener(whole)
        faults = listener.heard()
        mending = Mending(self, faults, chosen(what, faults), whole.shape[1], strength)
        return np.concatenate([mending(whole), mending.finish()]).reshape(sound.shape)

    def from_file(self, path: str | Path) -> np.ndarray:
        """(samples,) float32, or (samples, channels): a sound file, repaired; at 44.1 kHz."""
        sound = read_audio(path, mono=False, sample_rate=self.sample_rate)
        return self.transform(sound if sound.shape[1] > 1 else sound[:, 0], self.sample_rate)

    def cannot(self, what: str) -> AntiphonError:
        return AntiphonError(
            f"{self.info.name} repairs recordings and cannot {what}: use antiphon repair IN.wav -o OUT.wav"
        )


# ---- on disk ---------------------------------------------------------------------------------------------------------

LIMITS = {"width": (8, 4096), "hidden": (8, 8192), "blocks": (1, 64)}


def read(meta: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Repair:
    c, labels = read_numbers(RepairConfig, meta["config"], LIMITS), read_labels(meta["labels"])
    last = f"trunk.{c.blocks - 1}"
    claims = {
        "head.weight": (HEADS * BINS, c.width),
        f"{last}.up.weight": (c.hidden, c.width),
        f"{last}.mix.weight": (c.width, 1, REACH),
        "told.0.weight": (c.width, 2 * len(labels.instruments)),
    }
    check_sizes(claims, tensors)
    return Repair(c, labels)


KINDS = {"repair": Kind(Repair, RepairVoice, write_config, read)}
