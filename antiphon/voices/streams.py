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
from antiphon.voices.known import AHEAD, LEAVE, RING, Known, death, ending, letting_go, peaks
from antiphon.voices.pieces import Pieces
from antiphon.voices.pitch_track import Pitches, Track, bent, let_go_at
from antiphon.voices.synthesis import gesture, in_precision, leaving

PIECE = LONG_HOP  # samples that are rendered at once
BLOCKS = PIECE // HOP
MORE = 8  # knots of a held note that are asked for at once, after the first
BENDS = 8  # points of the curve of bends that are kept, all of them later than what is still needed
GLIDE = 0.012  # seconds in which a bend takes effect


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
        self._piece = self._ready = -1, np.zeros(0, np.float32)  # what is being read, and what was prepared
        self._sounded = torch.full((1,), -torch.inf)  # the peak of knots that were dropped
        played = torch.tensor([note.pitch]), torch.tensor([note.velocity / 127])
        self._tuning = generator.tuning(self._w, *played)
        self._last = torch.zeros(1)  # when the note last sounded
        self._asked = AHEAD  # knots of the held note
        with in_precision():
            self._told = generator.conditioned(self._w, *played)
        self._known = begin = self._ask(held_knots(0, AHEAD), AHEAD)
        self._pieces = Pieces(generator, begin)
        self._take_in(begin, peaks(begin.loud))
        self._strike = generator.struck(begin.strike, begin.take, begin.held)[0].numpy()

    @property
    def done(self) -> bool:
        """Whether all that is left is silence."""
        return self._at >= self._end

    def read(self, samples: int) -> np.ndarray:
        """(samples,) float32, the next ones; zeros once the note is done."""
        out = np.zeros(samples, np.float32)
        filled = 0
        while filled < samples and not self.done:
            number, offset = divmod(self._at, PIECE)
            if self._piece[0] != number:
                self._piece = self._ready if self._ready[0] == number else (number, self._make(number))
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
        self._piece = self._ready = -1, self._piece[1]
        self._settle()

    def prepare(self) -> bool:
        """Render the piece after the one that is being read, if that has not been done: in a pause, so that reading it
        takes no time. -> whether there was anything to do"""
        number = self._at // PIECE if self._piece[0] < 0 else self._piece[0] + 1
        if self._ready[0] == number or number * PIECE >= self._end:
            return False
        self._ready = number, self._make(number)
        return True

    @property
    def left(self) -> int:
        """Samples that can be read without rendering any."""
        last = max(self._piece[0], self._ready[0])
        return max((last + 1) * PIECE - self._at, 0)

    def bend(self, semitones: float) -> None:
        """Move the pitch to `semitones` off the key, as soon as what is rendered allows: within 25 ms."""
        number = max(self._piece[0], (self._at - 1) // PIECE)  # the last piece that sounds as it is
        self._ready = -1, self._ready[1]
        block = (number + 1) * BLOCKS + 1  # those before are rendered already, and know this one's pitch
        begin = HOP * block / SAMPLE_RATE
        past = [point for point in self._note.bend if point[0] < begin][-BENDS:]
        here = float(bent(self._note, HOP * block, 1)[0])
        self._note = replace(self._note, bend=(*past, (begin, here), (begin + GLIDE, semitones)))

    # ---- curves ------------------------------------------------------------------------------------------------------

    def _ask(self, times: np.ndarray, held: int) -> Known:
        """The note at knots `times`, of which the first `held` lie before its release."""
        start = int(times[0]) // HOP * HOP
        blocks = (int(times[-1]) - start) // HOP + 2
        knots = torch.from_numpy(times).float().unsqueeze(0)
        release = torch.full_like(knots, self._release)
        release[:, :held] = torch.inf
        g = gesture([self._note], knots, release, start, blocks, self._takes)
        with in_precision():
            curves = self._generator.read(*self._generator.driven(self._told, g))
        return Known.of(self._generator, g, curves, self._tuning, held)

    def _reach(self, time: float) -> None:
        """Make sure that the held note is known up to a time, and one knot further."""
        while float(self._known.held[0, -2]) < time:
            more = self._ask(held_knots(self._asked, MORE), MORE)
            self._asked += MORE
            self._take_in(more, peaks(more.loud, self._known.peak[:, -1:]))

    def _take_in(self, more: Known, peak: Tensor) -> None:
        """Add more knots of the held note, at which its peak is `peak`."""
        died, self._last = death(more.loud, peak, more.held, self._last)
        self._died = min(self._died, float(died))
        self._end = rounded_up(self._died, 512)
        more = replace(more, peak=peak)
        self._known = self._recent().joined(more) if self._asked > AHEAD else more
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
        self._pieces.settle(self._known)

    # ---- sound -------------------------------------------------------------------------------------------------------

    @torch.inference_mode()
    def _make(self, number: int) -> np.ndarray:
        """(1024,) the piece that begins at sample 1024 * `number`."""
        begin = number * PIECE
        if math.isinf(self._release):
            self._reach(begin + PIECE + HOP)
        pitches = Pitches(self._note, self._tuning[0], self._known.of_note(0), self._release, self._in_tune)
        track = pitches.track(number * BLOCKS, BLOCKS + 1, self._tracks[number])
        needed = self._at // PIECE
        self._tracks = {at: known for at, known in self._tracks.items() if at >= needed} | {number + 1: track}
        switch = let_go_at(self._release)
        sound = self._pieces.tone(number, track, switch) + self._pieces.noise(number, self._release)
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
