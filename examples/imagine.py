"""Continues training only a voice's mapping network, against the encoder's style vectors, without making a sound.

    python examples/imagine.py runs/kit kit.safetensors -o imagined.safetensors [--moves 12000]

In a run the mapping is updated once per step, against the latest styles encoded, among which a label with one recording
is rare. Here the styles of many thousand sounds are encoded first, with labels more evenly distributed, and then the
game in the space of styles (antiphon/training/games/style.py) is played for as long as you like: 25 ms per update.
Everything but the mapping stays as it is.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor

import antiphon
from antiphon.core.errors import AntiphonError
from antiphon.data.prepared import Prepared
from antiphon.recipes.lookup import recipe
from antiphon.training.games.style import StyleGame
from antiphon.voices.checkpoint import save_voice
from antiphon.voices.styled import StyledVoice

HEARD, AT_ONCE = 8192, 64  # sounds to encode, and how many at once
BATCH = 384  # styles per update
RATE, GAMMA = 1e-3, 0.1  # learning rate, and weight of the penalties
AVERAGE = 0.998  # decay of the mapping's averaged weights
EVENLY = 0.5  # 0: labels as frequent as in the data; 1: all equally frequent


def heard(voice: StyledVoice, data: Prepared, count: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Styles (count, style), labels (count,) and style words (count, words) of training sounds, drawn and augmented as
    in a run, then resampled so that rare labels are more frequent."""
    source, parts = recipe(voice.kind, seed=seed).source(data), []
    with torch.no_grad():
        for first in range(0, count, AT_ONCE):
            b = source.batch(first, min(AT_ONCE, count - first))
            w = voice.model.encoder(b.reference, b.reference_pitch, b.reference_release)
            parts.append((w, b.instrument, b.style))
    w, label, words = (torch.cat(column) for column in zip(*parts, strict=True))
    weight = torch.bincount(label, minlength=len(voice.instruments))[label].float() ** -EVENLY
    again = torch.multinomial(weight, count, replacement=True, generator=torch.Generator().manual_seed(seed))
    return w[again], label[again], words[again]


def imagine(voice: StyledVoice, data: Prepared, moves: int, seed: int = 0, count: int = HEARD) -> None:
    """Train the voice's mapping in place. Raises AntiphonError if voice and data have different labels."""
    labels = voice.model.labels
    if (labels.instruments, labels.styles) != (data.labels.instruments, data.labels.styles):
        raise AntiphonError(f"{data.path} has other labels than {voice.info.name}: give the data it was trained on")
    torch.manual_seed(seed)
    w, label, words = heard(voice, data, count, seed)
    game = StyleGame(w.shape[1], len(labels.instruments), len(labels.styles), count, GAMMA, BATCH)
    game.bank_w.copy_(w), game.bank_instrument.copy_(label), game.bank_style.copy_(words)
    mapping = voice.model.mapping.requires_grad_(True)
    players = [torch.optim.Adam(x.parameters(), RATE, betas=(0.0, 0.99)) for x in (game, mapping)]
    mean, rng = {k: v.clone() for k, v in mapping.state_dict().items()}, torch.Generator().manual_seed(seed)
    for left in range(moves, 0, -1):
        for player, loss in zip(players, (game.critic_loss, game.mapping_loss), strict=True):
            player.param_groups[0]["lr"] = RATE * min(1.0, 2 * left / moves)
            player.zero_grad(set_to_none=True)
            loss(mapping, rng).backward()
            player.step()
        for name, weight in mapping.state_dict().items():
            mean[name].lerp_(weight, 1 - AVERAGE)
    mapping.load_state_dict(mean)
    mapping.requires_grad_(False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("voice")
    parser.add_argument("prepared", type=Path, help="the data it was trained on")
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--moves", type=int, default=12_000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    try:
        voice = antiphon.load(asked.voice)
        if not isinstance(voice, StyledVoice):
            raise voice.cannot("imagine styles")
        imagine(voice, Prepared(asked.prepared), asked.moves, asked.seed)
        save_voice(asked.out, voice.model, voice.info)
        print(asked.out)
    except AntiphonError as error:
        raise SystemExit(f"error: {error}") from None


if __name__ == "__main__":
    main()
