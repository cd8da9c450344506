"""The networks of a voice as ONNX, for programs in other languages: mapping (noise and labels to a style vector), tuner
(where partials lie) and trunk (their levels at moments in time). Sound is made from these after docs/streaming.md."""

from __future__ import annotations

import json
import math
from functools import partial
from importlib.resources import files as resources

import numpy as np
from torch import nn

from antiphon.core.units import SAMPLE_RATE
from antiphon.networks.generators.instrument import DETUNE, FREE_HIGH, FREE_LOW, TOLD, InstrumentGenerator
from antiphon.networks.gesture import LIKELY, UNLIKELY
from antiphon.networks.layers import ModulatedBlock
from antiphon.networks.mapping import NOISE, Mapping
from antiphon.networks.physics import DRIFTS, FREE_SLOTS, HARMONIC_SLOTS
from antiphon.networks.timegrid import held_knots, released_knots
from antiphon.representations.mel import band_centres
from antiphon.verbs.exporters.onnx_graph import Graph, Value
from antiphon.verbs.exporters.pack import Files, printable
from antiphon.verbs.exporters.whole import WholeExporter, Wish
from antiphon.voices.expression import still
from antiphon.voices.instrument import InstrumentVoice
from antiphon.voices.known import RING
from antiphon.voices.playable import PlayableVoice

PATHS = ("mapping.onnx", "tuner.onnx", "trunk.onnx", "constants.json", "example.py", "README.txt")
DECAYS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)  # seconds [instrument.time_features]


def check(voice: PlayableVoice) -> None:
    if not isinstance(voice, InstrumentVoice):
        raise voice.cannot("be exported as ONNX")


def files(wish: Wish) -> Files:
    model = wish.voice.model
    return {
        "mapping.onnx": partial(mapping, model.mapping),
        "tuner.onnx": partial(tuner, model.generator),
        "trunk.onnx": partial(trunk, model.generator),
        "constants.json": partial(_constants, wish),
        "example.py": partial(_part, "example.py"),
        "README.txt": partial(_readme, wish),
    }


# ---- graphs ----------------------------------------------------------------------------------------------------------


def mapping(network: Mapping) -> bytes:
    """z (n, 32) normal, instrument (n,) int64, words (n, words) 0 or 1 (if there are any) -> w (n, style)."""
    graph = Graph("mapping")
    table = graph.weights(network.label.weight.numpy())
    told = [graph.input("z", ("n", NOISE))]
    told.append(graph.op("Gather", table, graph.input("instrument", ("n",), whole=True), axis=0))
    first = network.net[0]
    assert isinstance(first, nn.Linear)
    count = first.in_features - NOISE - network.label.embedding_dim
    if count:
        told.append(graph.input("words", ("n", count)))
    graph.output("w", _normal(_mlp(network.net, graph.concat(told)), 1e-8), ("n", network.net.last.out_features))
    return graph.model()


def tuner(network: InstrumentGenerator) -> bytes:
    """w (n, style), pitch (n,) MIDI, velocity (n,) 0..1 -> what `gesture.Tuning` has, `gains` in place of `active`."""
    graph = Graph("tuner")
    w, pitch, velocity = _note(graph, network.config.style)
    x = _mlp(network.tuner, graph.concat([w, _pitch_features(pitch), velocity.unsqueeze(-1)]))
    bend, b, place, active, cents, vibrato = x.split([HARMONIC_SLOTS, 1, FREE_SLOTS, FREE_SLOTS, 1, 3])
    stretch = _bounded(b * 4.0 - 10.0, -18, -4).do("Exp")
    k = graph.constant(np.arange(1, HARMONIC_SLOTS + 1))
    ratios = k * ((stretch * (k * k) + 1.0) / (stretch + 1.0)).do("Sqrt") * (bend.do("Tanh") * 0.03 + 1.0)
    slot = (place * 4.0).do("Sigmoid") + graph.constant(np.arange(FREE_SLOTS))
    free = (slot * (math.log(FREE_HIGH / FREE_LOW) / FREE_SLOTS)).do("Exp") * FREE_LOW
    rate, depth, delay = vibrato.split([1, 1, 1])
    sway = [rate.do("Tanh") * 2.5 + 5.5, (depth * 4.0 - 4.0).do("Sigmoid") * 40.0, delay.do("Sigmoid")]
    gains = (((active * 8.0).do("Sigmoid") - UNLIKELY) / (LIKELY - UNLIKELY)).clip(0, 1)
    graph.output("ratios", ratios, ("n", HARMONIC_SLOTS))
    graph.output("stretch", stretch.squeeze(-1), ("n",))
    graph.output("free", free, ("n", FREE_SLOTS))
    graph.output("gains", gains, ("n", FREE_SLOTS))
    graph.output("cents", cents.do("Tanh").squeeze(-1) * 60.0, ("n",))
    graph.output("vibrato", graph.concat(sway), ("n", 3))
    return graph.model()


def trunk(network: InstrumentGenerator) -> bytes:
    """w, pitch, velocity as for the tuner; knots (n, t) samples since the onset, release (n, t) samples, infinite while
    the note is held, waves (n, t, 6) slow noise of unit variance, bend (n, t) semitones -> `gesture.Curves`."""
    graph, c = Graph("trunk"), network.config
    w, pitch, velocity = _note(graph, c.style)
    knots, release = graph.input("knots", ("n", "t")), graph.input("release", ("n", "t"))
    waves, bend = graph.input("waves", ("n", "t", DRIFTS)), graph.input("bend", ("n", "t"))
    v = velocity.unsqueeze(-1)
    condition = _silu(_mlp(network.conditioner, graph.concat([w, _pitch_features(pitch), v, v * v])))
    x = graph.concat([_time_features(knots, release), waves, bend.unsqueeze(-1) / 12.0])
    x = _linear(network.enter, x) + _linear(network.greet, condition).unsqueeze(1)
    for block in network.trunk:
        assert isinstance(block, ModulatedBlock)
        scale, shift, gate = _linear(block.film, condition).unsqueeze(1).split([c.width] * 3)
        a, b = _linear(block.up, _normal(x) * (scale + 1.0) + shift).split([c.hidden] * 2)
        x = x + (gate + 1.0) * _linear(block.down, _silu(a) * b)
    parts = (_linear(network.heads, _normal(x)) * 4.0).split(network.splits)
    envelope, harmonics, free, noise, strike, ensemble, drift = parts
    sizes = dict(zip(("envelope", "harmonics", "free", "noise", "strike"), network.splits, strict=False))
    noise, strike = _bounded(noise - 10.0, -16, 0), _bounded(strike - 10.0, -16, 0)
    found = {"envelope": envelope - 4.0, "harmonics": harmonics, "free": free - 4.0, "noise": noise, "strike": strike}
    for name, value in found.items():
        graph.output(name, value, ("n", "t", sizes[name]))
    graph.output("ensemble", (ensemble.squeeze(-1) - 3.0).do("Sigmoid"), ("n", "t"))
    graph.output("drift", (drift.squeeze(-1) / 60.0).do("Tanh") * 60.0, ("n", "t"))
    detune = _bounded(_linear(network.unison, condition), -2, 2).do("Exp") * DETUNE
    graph.output("detune", detune.squeeze(-1), ("n",))
    return graph.model()


# ---- their parts [networks/layers.py, networks/generators/instrument.py] ---------------------------------------------


def _note(graph: Graph, style: int) -> tuple[Value, Value, Value]:
    return graph.input("w", ("n", style)), graph.input("pitch", ("n",)), graph.input("velocity", ("n",))


def _linear(layer: nn.Module, x: Value) -> Value:
    assert isinstance(layer, nn.Linear)
    return x @ x.graph.weights(layer.weight.numpy().T) + x.graph.weights(layer.bias.numpy())


def _mlp(layers: nn.Sequential, x: Value) -> Value:
    for layer in layers:
        x = _linear(layer, x) if isinstance(layer, nn.Linear) else _silu(x)
    return x


def _silu(x: Value) -> Value:
    return x * x.do("Sigmoid")


def _normal(x: Value, least: float = 1e-6) -> Value:
    """Of unit mean square."""
    return x / ((x * x).do("ReduceMean", axes=[-1], keepdims=1) + least).do("Sqrt")


def _bounded(x: Value, low: float, high: float) -> Value:
    half = (high - low) / 2
    return (x / half).do("Tanh") * half + (low + half)


def _pitch_features(pitch: Value) -> Value:
    x = ((pitch - 60.0) / 48.0).unsqueeze(-1)
    waves = [x, x * x]
    for period in (2.0, 1.0, 0.5):
        angle = x * (2 * math.pi / period)
        waves += [angle.do("Sin"), angle.do("Cos")]
    return x.graph.concat(waves)


def _time_features(knots: Value, release: Value) -> Value:
    graph, t, held = knots.graph, knots / SAMPLE_RATE, release / SAMPLE_RATE
    beyond = (graph.op("Min", t, held) - TOLD).clip(0)
    t, held = t - beyond, held - beyond
    after = (t - held).clip(0)
    over = graph.op("GreaterOrEqual", t, held)
    released = over.do("Cast", to=1).unsqueeze(-1)

    def at(x: Value, count: int) -> Value:
        y, width, x = (x / 0.003 + 1.0).do("Log").unsqueeze(-1), 8.0 / (count - 1), x.unsqueeze(-1)
        away = (y - graph.constant(np.linspace(0, 8, count))) / width
        decays = (0.0 - x / graph.constant(np.array(DECAYS))).do("Exp")
        return graph.concat([(away * away * -0.5).do("Exp"), decays, x / 4.0])

    length = (graph.op("Where", over, held, t) / 0.05 + 1.0).do("Log").unsqueeze(-1) / 3.0
    return graph.concat([at(t, 20), at(after, 16) * released, released, length * released, length])


# ---- what lies beside them -------------------------------------------------------------------------------------------


def _constants(wish: Wish) -> bytes:
    """What a program has to know besides, and the style vectors of the instruments that were asked for."""
    model, names = wish.voice.model, wish.names or wish.voice.instruments
    styles = {}
    for done, name in enumerate(names, 1):
        w = still(wish.voice, name, seed=wish.seed).first
        styles[printable(name)] = [round(float(x), 6) for x in w]
        wish.advance(done, len(names))
    c = model.generator.config
    told = {
        "sample_rate": SAMPLE_RATE,
        "config": vars(c),
        "instruments": list(wish.voice.instruments),
        "words": list(wish.voice.styles),
        "styles": styles,
        "held_knots": held_knots(0, 100).tolist(),
        "released_knots": released_knots(round(RING * SAMPLE_RATE)).tolist(),
        "envelope_hz": [round(x, 3) for x in band_centres(c.bands).tolist()],
        "noise_hz": [round(x, 3) for x in band_centres(c.noise_bands).tolist()],
        "strike_hz": [round(x, 3) for x in band_centres(c.strike_bands).tolist()],
    }
    return (json.dumps(told, indent=1) + "\n").encode()


def _readme(wish: Wish) -> bytes:
    head = f"{printable(wish.voice.info.name)}: the networks of a voice, as ONNX"
    about = "\n".join(f"{name}: {text}" for name, text in wish.about)
    return "\n".join([head, "=" * len(head), "", _part("README.txt").decode(), about, ""]).encode()


def _part(name: str) -> bytes:
    return (resources("antiphon.verbs.exporters") / "graphs" / name).read_bytes()


WHOLE = {"onnx": WholeExporter(check, PATHS, files)}
