"""The verbs of the command line by their names. The options of each, their help and the call behind it stand with those
of its kind: sounds.py, pieces.py, voices.py, data.py, judge.py."""

from __future__ import annotations

from antiphon.cli.data import Cut, Inspect, Prepare, Render
from antiphon.cli.judge import Compare, Evaluate
from antiphon.cli.options import Command
from antiphon.cli.pieces import Compose
from antiphon.cli.sounds import Generate, Live, Morph, Play, Repair, Scene
from antiphon.cli.voices import Clone, Explain, Export, Gallery, Info, List, Train

VERBS: dict[str, type[Command]] = {
    "play": Play,
    "generate": Generate,
    "morph": Morph,
    "scene": Scene,
    "clone": Clone,
    "export": Export,
    "repair": Repair,
    "compose": Compose,
    "live": Live,
    "gallery": Gallery,
    "train": Train,
    "evaluate": Evaluate,
    "compare": Compare,
    "explain": Explain,
    "info": Info,
    "list": List,
    "data inspect": Inspect,
    "data cut": Cut,
    "data render": Render,
    "data prepare": Prepare,
}

STRAYS = {
    "generate": "--instrument",
    "scene": "--sound",
}  # what a second word after a verb is likely to be the value of
