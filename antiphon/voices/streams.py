"""A note while it is being played, when it is not known yet how long it will be held.

The sound is rendered in pieces of 1024 samples, each a function of the note and of its release, if that has come [by
the same functions as whole notes: synthesis.py]. A release discards what was rendered ahead of it. The trunk is
evaluated for about a second of a held note at a time, and for all that follows a release at once; past knots are
dropped, so that a note needs the same memory however long it is held.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor

from antiphon.core.note import Note
from antiphon.core.units import SAMPLE_RATE
from antiphon.networks.generators.instrument import FADE, LONG_HOP, InstrumentGenerator, fade_in
from antiphon.networks.oscillators import HOP
from antiphon.networks.timegrid import held_knots, released_knots, rounded_up
from antiphon.voices.known import LEAVE, RING, Known, death, ending, letting_go, peaks
from antiphon.voices.pitch_track import Pitches, Track
from antiphon.voices.synthesis import EVEN, ask, gesture, leaving, noises, tones

PIECE = LONG_HOP  # samples that are rendered at once
BLOCKS = PIECE // HOP


class NoteStream:
    """One note of an instrument, in blocks of any size [capabilities.Stream].

    note: its seconds are ignored. w: (style,). in_tune, takes: as in `synthesis.perform`."""

    @torch.inference_mode()
    def __init__(
        self,
        generator: InstrumentGenerator,
        note: Note,
        w: Tensor,
        in_tune: bool = True,
        takes: Mapping[float, Sequence[int]] = MappingProxyType({}),
    ):
        self._generator, self._note, self._w = generator, note, w.unsqueeze(0)
        self._in_tune, self._takes = in_tune, takes
        self._at = 0  # samples that were read
        self._release = self._died = self._end = math.inf
        self._tracks: dict[int, Track | None] = {0: None}  # by piece: the pitch track up to its beginning
        self._piece = -1, np.zeros(0, np.float32)
        self._sounded = torch.full((1,), -torch.inf)  # the peak of knots that were dropped
        played = torch.tensor([note.pitch]), torch.tensor([note.velocity / 127])
        self._tuning = generator.tuning(self._w, *played)
        self._last = torch.zeros(1)  # when the note last sounded
        self._asked = EVEN  # knots of the held note
        self._known = begin = self._ask(held_knots(0, EVEN), EVEN)
        self._take_in(begin, peaks(begin.loud))
        self._strike = generator.struck(begin.strike, begin.take, begin.held)[0].numpy()

    @property
    def done(self) -> bool:
        """Whether all that is left is silence."""
        return self._at >= self._end

    @torch.inference_mode()
    def read(self, samples: int) -> np.ndarray:
        """(samples,) float32, the next ones; zeros once the note is done."""
        out = np.zeros(samples, np.float32)
        filled = 0
        while filled < samples and not self.done:
            number, offset = divmod(self._at, PIECE)
            if self._piece[0] != number:
                self._piece = number, self._make(number)
            part = self._piece[1][offset : offset + samples - filled]
            out[filled : filled + len(part)] = part
            filled += len(part)
            self._at += len(part)
        self._at += samples - filled
        return out

    @torch.inference_mode()
    def release(self) -> None:
        """Release the note, from the next sample read on. A second release has no effect."""
        if self.done or not math.isinf(self._release):
            return
        self._release = float(max(self._at, 1))
        release = torch.tensor([self._release])
        self._reach(self._release + 2 * PIECE)  # as far as anything of the held note is rendered
        known = self._known
        sounded = known.loud.masked_fill(known.held > release, -torch.inf).amax(1).maximum(self._sounded)
        after = self._ask(int(self._release) + released_knots(round(RING * SAMPLE_RATE)), 0)
        hush, top, end = letting_go(after.loud, after.after, release, sounded)
        after = replace(after.hushed(hush), peak=top.unsqueeze(-1).expand_as(after.loud))
        self._known = known.joined(after)
        self._end = ending(self._died, self._release, float(end))
        self._piece = -1, self._piece[1]
        self._settle()

    # ---- curves ------------------------------------------------------------------------------------------------------

    def _ask(self, times: np.ndarray, held: int) -> Known:
        """The note at knots `times`, of which the first `held` lie before its release."""
        start = int(times[0]) // HOP * HOP
        blocks = (int(times[-1]) - start) // HOP + 2
        knots = torch.from_numpy(times).float().unsqueeze(0)
        release = torch.full_like(knots, self._release)
        release[:, :held] = torch.inf
        g = gesture([self._note], knots, release, start, blocks, self._takes)
        return Known.of(self._generator, g, ask(self._generator, self._w, g), self._tuning, held)

    def _reach(self, time: float) -> None:
        """Make sure that the held note is known up to a time, and one knot further."""
        while float(self._known.held[0, -2]) < time:
            more = self._ask(held_knots(self._asked, EVEN), EVEN)
            self._asked += EVEN
            self._take_in(more, peaks(more.loud, self._known.peak[:, -1:]))

    def _take_in(self, more: Known, peak: Tensor) -> None:
        """Add more knots of the held note, at which its peak is `peak`."""
        died, self._last = death(more.loud, peak, more.held, self._last)
        self._died = min(self._died, float(died))
        self._end = rounded_up(self._died, 512)
        more = replace(more, peak=peak)
        self._known = self._recent().joined(more) if self._asked > EVEN else more
        self._settle()

    def _recent(self) -> Known:
        """What is known of the part still to be played."""
        past = int((self._known.held[0] <= self._at - PIECE).sum()) - 3
        if past <= 0:
            return self._known
        self._sounded = torch.maximum(self._sounded, self._known.loud[:, :past].amax(1))
        return self._known.since(past)

    def _settle(self) -> None:
        """Leave out inaudible partials."""
        gated = self._known.gated()
        self._heard = gated.only(gated.audible())

    # ---- sound -------------------------------------------------------------------------------------------------------

    def _make(self, number: int) -> np.ndarray:
        """(1024,) the piece that begins at sample 1024 * `number`."""
        begin, release = number * PIECE, torch.tensor([self._release])
        if math.isinf(self._release):
            self._reach(begin + PIECE + HOP)
        pitches = Pitches(self._note, self._tuning[0], self._heard.of_note(0), self._release, self._in_tune)
        track = pitches.track(number * BLOCKS, BLOCKS + 1, self._tracks[number])
        self._tracks = {number: self._tracks[number], number + 1: track}
        (tone,) = tones(self._heard, number * BLOCKS, [track], release)
        (noise,) = noises(self._generator, self._heard, number, [number + 1], release)
        sound = (tone + noise).numpy()
        strike = self._strike[begin : begin + PIECE]
        sound[: len(strike)] += strike
        if number == 0:
            sound[:FADE] *= fade_in().numpy()
        return self._until_end(sound, begin)

    def _until_end(self, sound: np.ndarray, begin: int) -> np.ndarray:
        """A piece, faded out and cut where the note ends."""
        if begin + PIECE <= self._end - LEAVE:
            return sound
        end = int(self._end) - begin
        fade = np.pad(leaving().numpy(), (max(end - LEAVE, 0), 0), constant_values=1)[-end:]
        return sound[:end] * fade[: len(sound)]


class Rendered:
    """A finished sound as a `capabilities.Stream`; a release has no effect. sound: (samples,) float32."""

    def __init__(self, sound: np.ndarray):
        self._sound, self._at = sound, 0

    @property
    def done(self) -> bool:
        """Whether only zeros would follow."""
        return self._at >= len(self._sound)

    def read(self, samples: int) -> np.ndarray:
        """(samples,) float32, the next ones."""
        part = self._sound[self._at : self._at + samples]
        self._at += samples
        return np.pad(part, (0, samples - len(part)))

    def release(self) -> None:
        """Has no effect."""
