"""The game of repairs: a generator that mends what was damaged, and critics that compare it with what it had been.

    L_D = rule_D(D(clean | damaged), D(G(damaged) | damaged)) + penalties  [training/games/adversary.py]
    L_G = sum of weights * terms                                           [the recipe's dict; its keys are the log's]

Before the game the generator rehearses, without critics. Terms: `level`, the logarithm of magnitudes, where the clean
sound is loud more than where it is soft; `mel`, that of bands at two resolutions; `complex`, the squared error of
spectra compressed to |X|^0.3 (Ephrat 2018), in which phases count; `distance`, the error's level beside the sound's in
dB over 10, down to -40 dB and no further: clean music is to stay as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from antiphon.core.run_files import SHEETS, SOUNDS
from antiphon.core.units import SAMPLE_RATE
from antiphon.data.recordings import SPLITS, Recordings
from antiphon.metrics.plots.sheet import spectrogram_grid
from antiphon.networks.discriminators.pairs import PairDiscriminator, PairDiscriminators
from antiphon.networks.generators.repair import WINDOW, Repair
from antiphon.networks.precision import mixed
from antiphon.representations.spectral import LogMel, mel_filters
from antiphon.representations.stft import stft
from antiphon.training.batches.repairs import Repairs, RepairSource
from antiphon.training.contract import Game, StepContext
from antiphon.training.games.adversary import AdversaryConfig, Seen
from antiphon.training.games.optimisers import ReconstructionOptimiser
from antiphon.training.losses.adversarial import feature_matching, rule_called
from antiphon.training.reports.wav import write_wav
from antiphon.voices.voice import Voice

SCALED = ("adversarial", "features")
FLOOR_DB = -85.0  # of bands
NEAREST = 1e-4  # power of an error, beside the sound's, that is as good as none
SHOWN: dict[str, dict[str, float]] = {  # in previews
    "noise at 12 dB": {"noise": 12.0},
    "cut off at 5 kHz": {"bandwidth": 5000.0},
    "codec of 20 kbit/s": {"codec": 20.0},
    "room and noise": {"reverb": 0.7, "noise": 20.0},
}
SHOWN_SAMPLES = 3 * SAMPLE_RATE


@dataclass(frozen=True)
class RepairGameConfig(AdversaryConfig):
    """How the game is played. `weights`: of each term of the generator's loss; 0 leaves it out."""

    rule: str = "relativistic"  # a repair and what it should have been, patch by patch
    weights: dict[str, float] = field(
        default_factory=lambda: {
            "level": 0.5,
            "mel": 1.5,
            "complex": 10.0,
            "distance": 0.5,
            "adversarial": 0.1,
            "features": 0.4,
        }
    )
    critic_channels: int = 8
    seen: int = 24_576  # samples of an excerpt that the critics look at, who cost most
    optimiser: ReconstructionOptimiser = field(
        default_factory=lambda: ReconstructionOptimiser(rate=1e-3, critic_rate=1e-3)
    )


class RepairGame(Game):
    """Generator, critics, their optimisers and one step of play. Its health is not checked: it imagines nothing."""

    def __init__(self, model: Repair, config: RepairGameConfig):
        super().__init__()
        self.model, self.config, self.rule = model, config, rule_called(config.rule)
        self.critics = config.normed(PairDiscriminators(config.critic_channels))
        self.loss = RepairLoss()
        o = config.optimiser
        self.set_optimizers(
            {"generator": o.generator(model.parameters()), "critics": o.critic(self.critics.parameters())}
        )

    def step(self, batch: Repairs, moment: StepContext, rng: torch.Generator) -> dict[str, Tensor]:
        """One update of every player; in rehearsal of the generator alone. -> scalars by name"""
        self.set_rates(moment.rate)
        clean, given = batch.clean, batch.damaged
        made = given + self.model.difference(given, batch.told)
        terms, log = self.loss(made, clean), {}
        if not moment.rehearsal:
            parts = self._part(rng, clean, made, given)
            log = self._critics_move(parts[0], parts[1].detach(), parts[2], moment, rng)
            terms |= self._verdict(*parts)
        play = self.config.weights
        total = torch.stack([play[k] * (moment.ramp if k in SCALED else 1.0) * v for k, v in terms.items()]).sum()
        log |= terms | {"loss": total, "generator_norm": self.update("generator", total)}
        return {k: v.detach() for k, v in log.items()}

    def _part(self, rng: torch.Generator, *sounds: Tensor) -> list[Tensor]:
        """The stretch that the critics look at, the same of each sound."""
        spare = max(sounds[0].shape[-1] - self.config.seen, 0)
        start = int(torch.randint(spare + 1, (), generator=rng))
        return [sound[:, start : start + self.config.seen] for sound in sounds]

    def _critics_move(
        self, clean: Tensor, made: Tensor, given: Tensor, moment: StepContext, rng: torch.Generator
    ) -> dict[str, Tensor]:
        with mixed(clean.device):
            true, false = ([x.float() for x in self.critics(audio, given)[0]] for audio in (clean, made))
        loss = torch.stack([self.rule.discriminator(r, f) for r, f in zip(true, false, strict=True)]).mean()
        gap = torch.stack([r.mean() - f.mean() for r, f in zip(true, false, strict=True)]).mean()
        penalty = self.config.penalty(true, lambda: self._seen(clean, made, given), moment.r1, moment.step, rng)
        log = {"critic": loss, "gap": gap, "penalty": penalty}
        return log | {"critic_norm": self.update("critics", loss + penalty)}

    def _seen(self, clean: Tensor, made: Tensor, given: Tensor) -> list[Seen]:
        """The spectrograms that the critics see."""

        def seen(critic: PairDiscriminator) -> Seen:
            real, false = (critic.picture(torch.stack([x, given], 1)) for x in (clean, made))
            return Seen(lambda x: critic.judge(x)[0].mean(1), real, false)

        return [seen(critic) for critic in self.critics.children()]  # type: ignore[arg-type]

    def _verdict(self, clean: Tensor, made: Tensor, given: Tensor) -> dict[str, Tensor]:
        """The critics' verdicts on both, after their move."""
        self.critics.requires_grad_(False)
        with mixed(clean.device):
            with torch.no_grad():
                true, known = self.critics(clean, given)
            false, features = self.critics(made, given)
        self.critics.requires_grad_(True)
        verdicts = [self.rule.generator(r.float(), f.float()) for r, f in zip(true, false, strict=True)]
        return {"adversarial": torch.stack(verdicts).mean(), "features": feature_matching(known, features)}

    def preview(self, voice: Voice, data: Recordings, folder: Path, step: int) -> Path:
        """Held-out music, if there is any: as it was, damaged, repaired."""
        split = next((name for name in reversed(SPLITS) if len(data.where(name))), "train")
        names = self.model.labels.instruments
        pairs = RepairSource(data, SHOWN_SAMPLES, 1, names, split).shown(list(SHOWN.values()))
        with torch.inference_mode():
            made = pairs.damaged + voice.model.difference(pairs.damaged, pairs.told)
        rows = {"clean": pairs.clean, "damaged": pairs.damaged, "repaired": made}
        for name in (SHEETS, SOUNDS):
            (folder / name).mkdir(exist_ok=True)
        picture = folder / SHEETS / f"step-{step:06d}.png"
        spectrogram_grid({name: list(sounds.numpy()) for name, sounds in rows.items()}, list(SHOWN), picture)
        heard = torch.stack(list(rows.values()), 1).flatten(0, 1)
        write_wav(folder / SOUNDS / f"step-{step:06d}.wav", list(heard.numpy()))
        return picture


class RepairLoss(nn.Module):
    """How far a repair is from what it should be. forward: (batch, samples) twice -> {"level", "mel", "complex",
    "distance"}, scalars"""

    filters: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("filters", mel_filters(WINDOW, 128), persistent=False)
        self.fine = LogMel(512, 128, 48, FLOOR_DB)

    def forward(self, made: Tensor, clean: Tensor) -> dict[str, Tensor]:
        pair = [stft(x, WINDOW, WINDOW // 4) for x in (made, clean)]
        powers = [x.real.square() + x.imag.square() for x in pair]
        logs = [torch.log(power + 1e-9) / 2 for power in powers]
        weight = (powers[1] + 1e-9) ** 0.25
        weight = weight / weight.mean((1, 2), keepdim=True)
        mels = [torch.log10(self.filters @ power + 10 ** (FLOOR_DB / 10)) for power in powers]
        small = [(power + 1e-8).pow(-0.35).unsqueeze(-1) for power in powers]
        compressed = [torch.view_as_real(x) * size for x, size in zip(pair, small, strict=True)]
        error, loud = (made - clean).square().mean(1), clean.square().mean(1) + 1e-7
        return {
            "level": (weight * (logs[0] - logs[1]).abs()).mean(),
            "mel": (mels[0] - mels[1]).abs().mean() + 7.5 * (self.fine(made) - self.fine(clean)).abs().mean(),
            "complex": (compressed[0] - compressed[1]).square().mean() * 2,
            "distance": (torch.log10(error / loud + NEAREST) + 4).mean(),
        }
