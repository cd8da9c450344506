"""A web page that plays: one HTML file with the networks inside, which needs neither another file nor a connection.

The page's own parts are in the folder `page`; docs/streaming.md tells what engine.js does.
"""

from __future__ import annotations

import base64
import json
from functools import partial
from html import escape
from importlib.resources import files as resources
from typing import Any

import numpy as np
import torch

from antiphon.core.errors import AntiphonError
from antiphon.core.html import document
from antiphon.data.labelling.gm import PROGRAMS
from antiphon.verbs.exporters.pack import Files, printable
from antiphon.verbs.exporters.whole import WholeExporter, Wish
from antiphon.voices.controls import FURTHEST, Controls, place_of
from antiphon.voices.expression import still
from antiphon.voices.instrument import InstrumentVoice
from antiphon.voices.playable import PlayableVoice

SEEDS = 8  # players of each instrument
MOST = 512  # instruments
Mix = tuple[tuple[str, float], ...]  # labels, each with its share


def check(voice: PlayableVoice) -> None:
    if not isinstance(voice, InstrumentVoice):
        raise voice.cannot("become a web instrument")


def files(wish: Wish) -> Files:
    return {"": partial(_page, wish)}


def _page(wish: Wish) -> bytes:
    names = list(wish.names or wish.voice.instruments)
    if len(names) > MOST:
        raise AntiphonError(f"a page has room for {MOST} instruments: choose some with --instrument")
    controls = _controls(wish.voice)
    styles, mixes = _styles(wish, names)
    directions, turns = _tables(controls, mixes)
    weights = {k: v for k, v in wish.voice.model.generator.named_parameters() if not k.startswith("white")}
    told = {
        "config": vars(wish.voice.model.generator.config),
        "tensors": [[name, list(tensor.shape)] for name, tensor in weights.items()],
        "labels": [printable(name) for name in names],
        "controls": [printable(name) for name in controls.names] if controls else [],
        "knobs": len(wish.voice.knobs),
        "shaping": wish.voice.info.shaping,
        "seeds": SEEDS,
        "programs": {PROGRAMS.index(name): i for i, name in enumerate(names) if name in PROGRAMS},
    }
    scripts = [
        _script("voice", _json(told), "application/json"),
        _script("weights", _halves(weights.values()), "text/plain"),
        _script("styles", _halves(styles), "text/plain"),
        _script("directions", _halves(directions), "text/plain"),
        _script("turns", _halves(turns), "text/plain"),
        _script("engine", _part("engine.js")),
        _script("worklet", _part("worklet.js"), "text/plain"),
        _script("worker", _part("worker.js"), "text/plain"),
        _script("page", _part("page.js")),
    ]
    about = "\n".join(f"<dt>{escape(head)}</dt><dd>{escape(text)}</dd>" for head, text in wish.about)
    parts = _part("page.html").replace("[controls]", _sliders(controls) if controls else "")
    body = f"{parts}<details><summary>About this voice</summary><dl>{about}</dl></details>\n"
    title = f"{printable(wish.voice.info.name)}: an instrument that was learned"
    return document(title, body + "\n".join(scripts), style=_part("page.css")).encode()


def _controls(voice: PlayableVoice) -> Controls | None:
    """The named controls of a voice, if it has any."""
    return voice.controls if voice.file is not None and place_of(voice.file).is_file() else None


def _sliders(controls: Controls) -> str:
    """A slider for each control; its meaning is what a screen reader says after the name."""
    shape = f'type="range" min="-{FURTHEST:g}" max="{FURTHEST:g}" step="0.1" value="0"'
    rows = [
        f'<div class="wide"><label for="control-{i}">{escape(name)} <output id="control-{i}-said"></output>'
        f'</label><input id="control-{i}" {shape} aria-describedby="control-{i}-means">'
        f'<p class="small" id="control-{i}-means">{escape(meaning)}</p></div>'
        for i, (name, meaning) in enumerate(zip(controls.names, controls.meanings, strict=True))
    ]
    reset = '<div class="row"><button id="plain" type="button">All controls to the middle</button></div>'
    return (
        '<details class="controls"><summary>Controls of the sound, for the next notes</summary>'
        f'<div class="panel">{"".join(rows)}</div>{reset}</details>'
    )


def _styles(wish: Wish, names: list[str]) -> tuple[list[torch.Tensor], list[Mix]]:
    """For each name its typical style vector and one for each seed; and the labels that it is mixed of."""
    found, mixes = [], []
    for done, name in enumerate(names, 1):
        typical = still(wish.voice, name, seed=wish.seed, variation=0.0)
        found.append(typical.first)
        mixes.append(typical.blended)
        found += [still(wish.voice, name, seed=wish.seed + i, variation=1.0).first for i in range(SEEDS)]
        wish.advance(done, len(names))
    return found, mixes


def _tables(controls: Controls | None, mixes: list[Mix]) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """For each mix (controls, style) the steps of its controls, and (controls, 2, knobs) how far they turn the voice's
    knobs; nothing where all of a table is 0. Knobs add up by share; a step of w is that of the largest share."""
    if controls is None:
        return [], []
    shares = torch.zeros(len(mixes), len(controls.labels))
    for row, mix in zip(shares, mixes, strict=True):
        for label, share in mix:
            row[controls.labels.index(label)] += share
    steps, turns = controls.directions[shares.argmax(1)], torch.einsum("ml,lcsk->mcsk", shares, controls.turns)
    return [*steps] if bool(steps.any()) else [], [*turns] if bool(turns.any()) else []


def _halves(tensors: Any) -> str:
    """float16, little-endian, as base64."""
    flat = np.concatenate([np.zeros(0, np.float32), *(tensor.detach().float().numpy().ravel() for tensor in tensors)])
    return base64.b64encode(flat.astype("<f2").tobytes()).decode()


def _json(told: Any) -> str:
    """JSON that no HTML parser takes for markup."""
    return json.dumps(told).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _part(name: str) -> str:
    return (resources("antiphon.verbs.exporters") / "page" / name).read_text(encoding="utf-8")


def _script(name: str, text: str, kind: str = "text/javascript") -> str:
    return f'<script id="{name}" type="{kind}">{text}</script>'


WHOLE = {"web": WholeExporter(check, (), files)}
