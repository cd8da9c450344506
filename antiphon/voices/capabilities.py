"""What voices can do. A kind of voice has the capabilities that its class derives from, and no others; code that needs
one requests it: `load("gm").able(PlaysNotes, "play a song")`."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable

import numpy as np
from torch import Tensor

from antiphon.audio.files import check_target, read_audio, write_audio
from antiphon.core.errors import AntiphonError
from antiphon.core.keywords import check_keywords
from antiphon.core.note import Note
from antiphon.data.labelling.labels import parse_pitch
from antiphon.music.score import Key, Metre, Score
from antiphon.networks.knobs import Knob
from antiphon.voices.controls import Controls, read_controls
from antiphon.voices.voice import Voice

Place = Mapping[str, float] | np.ndarray  # labels with their weights, which need not sum to 1, or a w, (style,)
ScenePath = tuple[tuple[float, Place], ...]  # (seconds, place): linear from one to the next, constant outside


class PlaysNotes(Voice):
    """Notes in, sounds out."""

    plays = pitched = True
    song_part: str | None = "voice"

    def note(self, pitch: float | str = 60.0, **how: Any) -> np.ndarray:
        """(samples,) float32: one note; pitch: 60, 60.5 or "C4"; the keywords are those of `Note` (instrument,
        velocity, seconds, style, seed ...)."""
        check_keywords("note", how, Note)
        how.setdefault("seconds", 1.0)
        return self.notes([Note(parse_pitch(pitch) if isinstance(pitch, str) else pitch, **how)])[0]

    @abstractmethod
    def notes(
        self,
        notes: Sequence[Note],
        w: np.ndarray | Tensor | None = None,
        in_tune: bool = True,
        threads: int | None = None,
        parts: bool = False,
    ) -> list[np.ndarray]:
        """Each note's sound, (samples,) float32, from its onset to the end of its release; with `parts` (samples, 2),
        its partials and its noise separately, whose sum is the sound.

        w: (n, style) style vectors to use instead of imagined ones. in_tune: play on the key, leaving out the constant
        error of the training recordings. A note sounds the same alone and in a list (within rounding).
        threads: how many batches to play at once, one processor each (default: all processors). The sound
        does not depend on it."""


class Turned(NamedTuple):
    """What turning controls makes of a sound: w (style,), and how far the knobs of its notes are turned
    [Note.shaping]."""

    w: Tensor
    shaping: tuple[float, ...] = ()


class Imagines(Voice):
    """New sounds from noise. Every sound has a style vector w: its character, beyond its label and its note. `knobs`:
    what else of its synthesis can be turned [networks/knobs.py]."""

    knobs: ClassVar[tuple[Knob, ...]] = ()

    @abstractmethod
    def imagine(self, instrument: str, style: Sequence[str] = (), seed: int = 0, variation: float = 1.0) -> Tensor:
        """(style,) a style vector from noise, the same for the same seed.

        instrument: a label. style: style words (default: sampled as they occurred in training). variation: 1 as varied
        as the training sounds, 0 the typical sound."""

    @cached_property
    def controls(self) -> Controls:
        """Its named controls, from the file beside its weights. Raises AntiphonError if there are none."""
        style = int(self.imagine(self.instruments[0], seed=0).shape[-1])
        found = None if self.file is None else read_controls(self.file, self.instruments, style, len(self.knobs))
        if found is None:
            where = self.info.name if self.file is None else self.file
            raise AntiphonError(f"{self.info.name} has no controls yet: make them with antiphon explain {where} --fit")
        return found

    def turned(self, w: Tensor, instrument: str, control: Mapping[str, float]) -> Turned:
        """w, (style,), with named controls turned, such as {"brightness": 1}, and the shaping that its notes then need;
        w itself and none if all are at 0. instrument: the label whose sound it is. Warns of a control that the label
        lacks, which moves nothing: a song has many labels. Raises AntiphonError for a name that the voice does not
        have."""
        if not control:
            return Turned(w)
        wanted = self.controls.named(control, self.info.name)
        there = self.controls.of(instrument)
        for name in (name for name in wanted if name not in there):
            warnings.warn(f"{instrument} has no {name} to turn: it has {', '.join(there) or 'none'}", stacklevel=2)
        known = {name: amount for name, amount in wanted.items() if name in there}
        if not known:
            return Turned(w)
        step = self.controls.step(instrument, known)
        return Turned(self.stepped(w, step) if bool(step.any()) else w, self.controls.shaping(instrument, known))

    def stepped(self, w: Tensor, step: Tensor) -> Tensor:
        """(..., style) w, moved by a step, (..., style)."""
        return w + step

    def difference(self, a: Tensor, b: Tensor) -> Tensor:
        """(style,) the step from one style vector to another."""
        return b - a

    def draw_style(self, instrument: str, rng: np.random.Generator) -> tuple[str, ...]:
        """Style words of an instrument, sampled with `rng` as they occurred in training."""
        met = self.info.styles_of.get(instrument, [])
        if not met:
            return ()
        counts = np.array([count for _, count in met], float)
        return met[int(rng.choice(len(met), p=counts / counts.sum()))][0]


class Encodes(Imagines):
    """A space of styles in which recordings, too, have a place: a w between two others is a sound between theirs."""

    blends = True

    @abstractmethod
    def encode(
        self, recordings: Sequence[np.ndarray], pitches: Sequence[float], holds: Sequence[float | None] | None = None
    ) -> np.ndarray:
        """(n, style) style vectors of recorded notes.

        recordings: mono float32 at 44.1 kHz, each beginning at its onset; pitches: MIDI; holds: seconds to the
        release, None if there is none."""

    @abstractmethod
    def typical(self, instrument: str, style: Sequence[str] = ()) -> Tensor:
        """(style,) the instrument's typical style vector."""

    @abstractmethod
    def vary(self, w: Tensor, instrument: str, style: Sequence[str], seed: int, variation: float) -> Tensor:
        """(style,) w, moved as the seed moves the instrument away from its typical sound, `variation` times as far."""

    @abstractmethod
    def nearest(self, w: Tensor) -> str:
        """The instrument whose style vectors are nearest to w, (style,)."""


@runtime_checkable
class SceneStream(Protocol):
    """An imagined place as it sounds, from its beginning on. Blocks of any sizes join to the same sound, and memory
    does not grow with its length."""

    @property
    def length(self) -> int | None:
        """Frames it has in all; None for one without end."""

    def read(self, frames: int) -> np.ndarray:
        """(frames, 2) float32: the next ones, left and right, at the voice's `sample_rate`; fewer at its end, and then
        (0, 2). A loop ends like any other: what was read joins with itself."""


class ImaginesScenes(Imagines):
    """Places that sound for any time, in stereo: rain, a street, a night with crickets. A place is a w, that of a label
    or of a recording."""

    @abstractmethod
    def hear(self, audio: np.ndarray, sample_rate: int) -> np.ndarray:
        """(style,) the place where a recording was made. audio: (samples,) or (samples, channels) float."""

    @abstractmethod
    def scene(
        self,
        sound: ScenePath,
        *,
        seed: int = 0,
        seconds: float | None = None,
        loop: bool = False,
        variation: float = 1.0,
        density: float | None = None,
        brightness: float | None = None,
        motion: float | None = None,
        width: float | None = None,
    ) -> SceneStream:
        """An imagined scene, the same for the same seed.

        sound: where it is, and when. seconds: how long it is (default: without end). loop: its end joins its beginning
        as any two moments of it join. variation: 0..1, from a label's typical place to places as varied as those of
        training. density, brightness, motion, width: 0..1 of what the label's training recordings span (default: as
        imagined). Raises AntiphonError for what cannot be."""


class Transforms(Voice):
    """Sound in, sound out. linked: whether all channels are changed alike, so that a stereo image stands still, and not
    each by itself."""

    linked: ClassVar[bool] = False

    @abstractmethod
    def transform(self, audio: np.ndarray, sample_rate: int) -> np.ndarray:
        """audio: (samples,) or (samples, channels) float at `sample_rate` -> (samples,) or (samples, channels) float32
        at the voice's own sample rate."""

    def from_file(self, path: str | Path) -> np.ndarray:
        """(samples,) float32: a sound file, mixed down to mono and transformed."""
        return self.transform(read_audio(path, sample_rate=self.sample_rate), self.sample_rate)

    def from_file_to_file(self, path: str | Path, out: str | Path, *, force: bool = False) -> Path:
        """Like from_file, into a file (wav, flac, ogg, mp3, opus, aiff). -> its path"""
        check_target(out, force=force)
        return write_audio(out, self.from_file(path), sample_rate=self.sample_rate, force=force)


@runtime_checkable
class Stream(Protocol):
    """One note while it is played. It sounds like the same note with a length known in advance: the difference is at
    least 80 dB below it, whatever the sizes of the blocks. What was read never depends on what comes later."""

    @property
    def done(self) -> bool:
        """Whether the note has died away, released or not, so that only zeros would follow."""

    def read(self, samples: int) -> np.ndarray:
        """(samples,) float32, the next ones at the voice's `sample_rate`; zeros once it is done."""

    def release(self) -> None:
        """Release the note, from the next sample read on. A second release has no effect."""


@runtime_checkable
class Played(Stream, Protocol):
    """A stream whose pitch can be bent while it sounds, and that can render ahead in a pause."""

    @property
    def left(self) -> int:
        """Samples that can be read without rendering any."""

    def bend(self, semitones: float) -> None:
        """Move the pitch to `semitones` off the note's, within 25 ms; what was read stays as it was."""

    def prepare(self) -> bool:
        """Render some of what comes next, if that has not been done. -> whether there was anything to do"""


class Streams(PlaysNotes):
    """Notes that can be played before it is known how long they will be held."""

    @abstractmethod
    def stream(self, note: Note, w: Tensor | None = None) -> Stream:
        """The note from its onset, held until its `release`; its own seconds are ignored. w: (style,) a style vector
        to use instead of an imagined one. Streams share no changing state: each may have its own thread."""


class ComposesMusic(Voice):
    """Notes out of a style and a seed: whole pieces, or what goes before, after or along with notes that are given."""

    @abstractmethod
    def bars(
        self,
        count: int | None = None,
        *,
        style: str | None = None,
        given: Score | None = None,
        keep: Sequence[int] = (),
        before: Score | None = None,
        vary: Score | None = None,
        amount: float = 0.3,
        tempo: float | None = None,
        key: Key | str | None = None,
        metre: Metre | str | None = None,
        density: float | None = None,
        parts: Sequence[str] | None = None,
        seed: int = 0,
        temperature: float = 1.0,
        controls: Mapping[str, float] | None = None,
    ) -> Score:
        """A score of `count` bars (default: 32, or as many as `given` or `vary` have), the same for the same seed.

        style: one of the voice's labels (default: drawn by the seed, or nearest to what is given). given: a score whose
        parts `keep` (indices; none means all of them) stay note for note while others are written around them. before:
        a score that is continued; only the new bars come back. vary: a score to be varied, `amount` 0 (hardly) to 1 (a
        new piece). tempo: beats a minute; key; metre; parts: roles, of `ROLES` [music/notation.py], one part each
        (default: as the style has). density: 0 few notes .. 1 many. temperature: 1 as learned, less is more usual.
        controls: further measured quantities, each 0..1 from few to many as the style knows them: density, register,
        syncopation, polyphony. What is not asked for is drawn as the style has it, or as the given score has it.

        Raises AntiphonError for anything that cannot be."""
