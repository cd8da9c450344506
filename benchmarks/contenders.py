"""The GANs that gans.py compares: what they share, and three settings of each to choose from.

All draw the first 32,768 samples (0.74 s) of a note, are conditioned on its pitch, instrument and style words, and may
fill gaps between recorded keys by transposing. Sizes are such that several thousand steps fit into 40 minutes of two
cores: at the papers' sizes it would be a few hundred.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

SAMPLES = 32_768
GAPS = {"transposed": 0.3}  # as `instrument` does
ALIKE: dict[str, dict[str, Any]] = {  # the same sounds, in the shape of each one's images
    "dcgan": GAPS | {"samples": SAMPLES, "network.frames": 64},
    "wavegan": GAPS | {"samples": SAMPLES, "network.samples": SAMPLES},
    # 43 Hz a bin instead of 86: at 44.1 kHz the paper's 16 kHz proportions would merge the partials of low notes.
    "specgan": GAPS
    | {"samples": SAMPLES, "network.bins": 512, "network.frames": 128, "view.window": 1024, "view.hop": 256},
    "gansynth": GAPS | {"samples": SAMPLES, "network.frames": 64},
    "instrument": GAPS | {"samples": SAMPLES},
}
ONE_MOVE = {"game.critic_steps": 1, "batch": 16}
ALTERNATING = "a move of the critic for each of the generator, two time scales"
R3GAN = {"game.rule": "relativistic", "game.lipschitz": 0.0, "game.drift": 0.0}
PAPERS = {  # sounds that each paper's generator was trained with
    "wavegan": 200_000 * 64,
    "specgan": 100_000 * 64,
    "gansynth": 11_000_000,
}


@dataclass(frozen=True)
class Setting:
    """size: tiny, small, base or large. changes: to the recipe. why: reason to expect it to be the best."""

    size: str
    why: str
    changes: dict[str, Any] = field(default_factory=dict)


def rates(generator: float, critic: float) -> dict[str, float]:
    return {"game.optimiser.rate": generator, "game.optimiser.critic_rate": critic}


SETTINGS: dict[str, tuple[Setting, Setting, Setting]] = {
    "dcgan": (
        Setting("base", "the textbook's"),
        Setting("small", "four times the steps; R1 in place of dropout", {"network.dropout": 0.0, "game.r1": 1.0}),
        Setting(
            "small",
            "hinge, spectral norm, two time scales (Miyato 2018, Heusel 2017)",
            {"game.rule": "hinge", "game.spectral": True} | rates(1e-4, 4e-4),
        ),
    ),
    "wavegan": (
        Setting("small", "the paper's game, in batches of 8", {"batch": 8}),
        Setting("small", ALTERNATING, ONE_MOVE | rates(1e-4, 4e-4)),
        Setting("small", "R3GAN's game", ONE_MOVE | R3GAN | {"game.r1": 0.1, "game.r2": 0.1} | rates(2e-4, 2e-4)),
    ),
    "specgan": (
        Setting("small", "the paper's game, in batches of 8", {"batch": 8}),
        Setting("small", ALTERNATING, ONE_MOVE | rates(1e-4, 4e-4)),
        Setting("small", "R3GAN's game", ONE_MOVE | R3GAN | {"game.r1": 1.0, "game.r2": 1.0} | rates(2e-4, 2e-4)),
    ),
    "gansynth": (
        Setting("small", "the paper's game"),
        Setting("small", "R3GAN's game", R3GAN | {"game.r1": 1.0, "game.r2": 1.0} | rates(2e-4, 2e-4)),
        Setting("small", "the paper's game on 512 bands: twice the steps", {"network.bins": 512, "view.bands": 512}),
    ),
    "instrument": (
        Setting("base", "as `antiphon train` has it"),
        Setting("small", "more steps of less"),
        Setting("base", "twice the steps in batches of 8", {"batch": 8, "rehearsal_batch": 32}),
    ),
}  # fmt: skip
