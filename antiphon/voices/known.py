"""What is known of notes: their curves at knots, while they are held and after their release; how loud they are, and
when they have died away."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from antiphon.core.units import SAMPLE_RATE
from antiphon.networks.generators.instrument import InstrumentGenerator
from antiphon.networks.gesture import Curves, Gesture, Tuning
from antiphon.networks.partials import SILENT, Bank
from antiphon.networks.shaping import shaped
from antiphon.networks.timegrid import rounded_up
from antiphon.representations.mel import hat_weights
from antiphon.voices.pitch_track import Drift

NOISE_AS_TONE = -1.5  # nepers: a band of noise at gain 1 is about as loud as a partial of this amplitude

QUIET = -6.9  # nepers (-60 dB) below its peak, where a note's tail is cut
AGAIN = 2.0  # nepers a note may swell after its release, for each by which it stays above silence; see _release_gate
LEAVE = 512  # samples over which the rest then fades
DIED = 11_025  # samples of silence after which a held note has died away
INAUDIBLE = -8.5  # nepers (-74 dB) below a note's peak, where a partial is left out
AHEAD = 24  # knots (0.2 s) over which a note's first peak is taken; after them it is the peak so far
FAR = float(1 << 20)  # samples
KNOTTED = ("loud", "peak", "noise", "ensemble", "drift")  # of `Known`, at all its knots
RING = 4.0  # seconds after its release within which a note has died away


@dataclass(frozen=True)
class Known:
    """Notes' curves, at knots while they are held and at knots after their release.

    held: (batch, t) and after: (batch, u) samples since the onset. loud: (batch, t + u) nepers, the level of the whole
    note; peak: the same shape, the level relative to which a partial is audible or not, set by callers. bank, noise,
    ensemble, drift: at all t + u knots; strike: at those of `held`; detune: (batch,) [gesture.Curves]."""

    pitch: Tensor
    take: Tensor
    held: Tensor
    after: Tensor
    loud: Tensor
    peak: Tensor
    bank: Bank
    noise: Tensor
    strike: Tensor
    ensemble: Tensor
    drift: Tensor
    detune: Tensor

    @classmethod
    def of(cls, generator: InstrumentGenerator, g: Gesture, curves: Curves, tuning: Tuning, held: int) -> Known:
        """The trunk's curves for a gesture whose first `held` knots lie before the release."""
        bank, curves = shaped(generator.all_partials(curves, g, tuning), curves, g)
        loud = torch.maximum(torch.logsumexp(2 * bank.level, -1) / 2, curves.noise.amax(-1) + NOISE_AS_TONE)
        return cls(
            pitch=g.pitch,
            take=g.take,
            held=g.knots[:, :held],
            after=g.knots[:, held:],
            loud=loud,
            peak=loud,
            bank=bank,
            noise=curves.noise,
            strike=curves.strike[:, :held],
            ensemble=curves.ensemble,
            drift=curves.drift,
            detune=curves.detune,
        )

    def __getitem__(self, index: Tensor) -> Known:
        return Known(**{f.name: getattr(self, f.name)[index] for f in fields(self)})

    def of_note(self, i: int) -> Drift:
        """How the pitch of note i drifts."""
        held = self.held.shape[1]
        drift = self.drift[i].double().numpy()
        return Drift(self.held[i].numpy(), drift[:held], self.after[i].numpy(), drift[held:])

    def only(self, kept: Tensor) -> Known:
        """With only the partials in `kept`, (batch, K) booleans."""
        return replace(self, bank=self.bank.only(kept))

    def hushed(self, hush: Tensor) -> Known:
        """With (batch, u) nepers added to the partials and the noise after the release."""
        change = torch.nn.functional.pad(hush, (self.held.shape[1], 0)).unsqueeze(-1)
        return replace(self, bank=replace(self.bank, level=self.bank.level + change), noise=self.noise + change)

    def joined(self, more: Known) -> Known:
        """The same notes, with what is known of them later on."""

        def both(a: Tensor, b: Tensor) -> Tensor:
            before, after = (x.split([k.held.shape[1], k.after.shape[1]], 1) for x, k in ((a, self), (b, more)))
            return torch.cat([before[0], after[0], before[1], after[1]], 1)

        return replace(
            self,
            held=torch.cat([self.held, more.held], 1),
            after=torch.cat([self.after, more.after], 1),
            strike=torch.cat([self.strike, more.strike], 1),
            bank=replace(self.bank, level=both(self.bank.level, more.bank.level)),
            **{name: both(getattr(self, name), getattr(more, name)) for name in KNOTTED},
        )

    def since(self, first: int) -> Known:
        """Without the first knots."""
        return replace(
            self,
            held=self.held[:, first:],
            strike=self.strike[:, first:],
            bank=replace(self.bank, level=self.bank.level[:, first:]),
            **{name: getattr(self, name)[:, first:] for name in KNOTTED},
        )

    def gated(self) -> Known:
        """Without what is inaudible beside the peak. A partial is rendered from the knot before it is audible to the
        knot after."""
        heard = (self.bank.level > (self.peak + INAUDIBLE).unsqueeze(-1)) & self.bank.real.unsqueeze(1)
        parts = heard.split([self.held.shape[1], self.after.shape[1]], 1)
        kept = torch.cat([_and_neighbours(part) for part in parts], 1)
        return replace(self, bank=replace(self.bank, level=self.bank.level.masked_fill(~kept, SILENT)))

    def audible(self) -> Tensor:
        """(batch, K) which partials are rendered at any time."""
        return self.bank.level.amax(1) > SILENT

    def place(self, times: Tensor, released: Tensor) -> Tensor:
        """(batch, n, t + u) weights of the knots at `times`, (batch, n) samples since the onset: those of the held
        note or, where `released`, (batch, n), those after the release."""
        if not self.after.shape[1]:
            return hat_weights(times.float(), self.held)
        release = self.after[:, :1]  # both are put on one axis that starts there, the second far beyond the first
        at = times - release
        at = torch.where(released, at.clamp_min(0) + FAR, at)
        return hat_weights(at, torch.cat([self.held - release, self.after - release + FAR], 1))


def _and_neighbours(heard: Tensor) -> Tensor:
    """(batch, t, K) booleans, and those one step of t before and after."""
    wide = heard.clone()
    wide[:, 1:] |= heard[:, :-1]
    wide[:, :-1] |= heard[:, 1:]
    return wide


def peaks(loud: Tensor, so_far: Tensor | None = None) -> Tensor:
    """(batch, t) nepers of the peak so far, at each knot of a held note. loud: (batch, t) from the onset on, or from
    where the peak was `so_far`, (batch, 1)."""
    if so_far is None:
        start = loud[:, :AHEAD].amax(1, keepdim=True)
        loud = torch.cat([start.expand(-1, min(AHEAD, loud.shape[1])), loud[:, AHEAD:]], 1)
    else:
        loud = torch.maximum(loud, so_far)
    return loud.cummax(1).values


def death(loud: Tensor, peak: Tensor, times: Tensor, last: Tensor) -> tuple[Tensor, Tensor]:
    """(batch,) samples, inf if never, at which held notes have been silent for so long that they have died away, and
    (batch,) samples at which they last sounded. loud, peak: (batch, t) nepers at the knots `times`; last: the latter
    before these."""
    sounding = torch.where(loud > peak + QUIET, times, last.unsqueeze(-1)).cummax(1).values
    return times.masked_fill(times - sounding < DIED, torch.inf).amin(1), sounding[:, -1]


def letting_go(loud: Tensor, times: Tensor, release: Tensor, sounded: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """How notes are released: (batch, u) nepers of hush, the (batch,) peak from onset to end, and the (batch,) samples
    at which they have died away. loud: (batch, u) nepers at the knots `times` from the release on, sounded: (batch,)
    the peak until then."""
    top = torch.maximum(sounded, loud.amax(1))
    hush = _release_gate(loud, times, release, top)
    end = _last_sounding(loud + hush, times, top).clamp(release + LEAVE, release + RING * SAMPLE_RATE)
    return hush, top, end


def ending(died: float, release: float, end: float) -> int:
    """Length in samples of a note that would die away at `died` if it were held, and at `end` if released."""
    early = rounded_up(died, 512)
    return int(early if early - LEAVE <= release else rounded_up(end, 512))


def _release_gate(loud: Tensor, times: Tensor, release: Tensor, peak: Tensor) -> Tensor:
    """(notes, t) nepers, 0 or less, added to released notes, so that what has fallen silent stays silent: the time long
    after a release is where the network was trained least. loud: (notes, t) nepers at the knots `times`; release:
    (notes,) samples; peak: (notes,) nepers.

    The nearer to silence a note has come, the less it may swell again. If it were all or nothing, a morph would jump
    where it passes from notes that fall silent to others that just do not: seconds of a loud tail would come from
    nowhere.
    """
    silent = peak.unsqueeze(-1) + QUIET
    lowest = loud.masked_fill(times <= release.unsqueeze(-1), torch.inf).cummin(1).values
    return (lowest + AGAIN * (lowest - silent).clamp(min=0) - loud).clamp(max=0)


def _last_sounding(loud: Tensor, times: Tensor, peak: Tensor) -> Tensor:
    """(notes,) samples at which each note has died away. loud: (notes, t) nepers at the knots `times`; peak: (notes,)
    nepers."""
    least = peak.unsqueeze(-1) + QUIET
    last = (torch.arange(loud.shape[1]) * (loud > least)).amax(1, keepdim=True)
    after = (last + 1).clamp(max=loud.shape[1] - 1)
    fallen = (loud.gather(1, last) - least) / (loud.gather(1, last) - loud.gather(1, after)).clamp_min(1e-6)
    return torch.lerp(times.gather(1, last), times.gather(1, after), fallen.clamp(0, 1)).squeeze(1)
