"""A voice of one place, from recordings of it: what a voice of scenes hears there becomes all that it imagines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from antiphon.networks.encoders.note import on_sphere
from antiphon.networks.model import LabelTable
from antiphon.voices.capabilities import ImaginesScenes
from antiphon.voices.kind import voice_of
from antiphon.voices.places import Places
from antiphon.voices.voice import Voice, VoiceInfo


def clone_place(base: ImaginesScenes, paths: Sequence[str | Path], label: str) -> Voice:
    """A voice of one label, whose place is that of the recordings, or the one between them. Nothing is trained. Raises
    AntiphonError for a recording that cannot be read, is silent or too short."""
    places = Places(base)
    heard = [np.asarray(places.recording(str(path))) for path in paths]
    w = on_sphere(torch.from_numpy(np.mean(heard, axis=0)))
    info = VoiceInfo(
        name=label,
        styles_of={label: [((), 1)]},
        training={"cloned_from": base.info.name, "recordings": len(paths)},
        licence=f"{base.info.licence}, and that of the recordings",
        sources=(*base.info.sources, *(Path(path).name for path in paths)),
    )
    return voice_of(anchored(base, w, label), info)


def anchored(base: ImaginesScenes, w: Tensor, label: str) -> nn.Module:
    """The voice's model with a mapping that knows one place: whatever the noise, it gives w, (style,). Controls span
    what they span for the label that is nearest to it."""
    model, near = base.model, base.instruments.index(base.nearest(w))  # type: ignore[attr-defined]
    scales = tuple(replace(scale, usual=(scale.usual[near],)) for scale in model.labels.scales)
    made: nn.Module = type(model)(model.config, LabelTable((label,), (), scales))
    kept = {name: value for name, value in model.state_dict().items() if not name.startswith("mapping.")}
    made.load_state_dict(kept, strict=False)
    mapping: nn.Module = made.mapping  # type: ignore[assignment]
    with torch.no_grad():
        for weights in mapping.parameters():
            weights.zero_()
        mapping.net.last.bias.copy_(w)  # type: ignore[union-attr, operator]
    return made
