"""The contents of the gallery. A new line of this table is a new sound, a new section a new heading on the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Verb = Literal["generate", "play", "morph", "clone", "scene", "export"]


@dataclass(frozen=True)
class Line:
    """One command line: a verb and the keywords of its Python function, without voice and output. voice: the name of an
    earlier `clone` in the section, to play that voice instead of the gallery's. Scenes are the bundled ambience's where
    the gallery's voice imagines none."""

    title: str
    verb: Verb
    how: dict[str, Any]
    voice: str = ""


@dataclass(frozen=True)
class Recording:
    """A note of examples/notes, raised by `semitones` by playing it faster, as a sampler does."""

    title: str
    path: str
    semitones: float = 0.0


@dataclass(frozen=True)
class Section:
    """A heading of the page; its name is what `--only` takes, and the folder of its sounds."""

    name: str
    heading: str
    text: str
    lines: tuple[Line | Recording, ...]


def note(title: str, instrument: str = "", voice: str = "", **how: Any) -> Line:
    """One new note (default instrument: its title)."""
    return Line(title, "generate", {"n": 1, "instrument": instrument or title, **how}, voice)


def place(title: str, sound: str = "", **how: Any) -> Line:
    """A scene of 10 seconds (default sound: its title)."""
    return Line(title, "scene", {"sound": sound or title, "seconds": 10.0, **how})


def pack(title: str, format: str, **how: Any) -> Line:
    """A voice in a form that others play."""
    return Line(title, "export", {"format": format, **how})


ON_THE_PAGE = ("acoustic grand piano", "violin", "flute", "string ensemble 1", "vibraphone")
RECORDED, OCTAVE_UP = "flute/064-v113.flac", "flute/076-v120.flac"  # E4, E5

SECTIONS = (
    Section(
        "imagined",
        "Ten instruments that nobody recorded",
        "Each is imagined from noise and a name alone.",
        (
            note("acoustic grand piano", pitch="C4"),
            note("glockenspiel", pitch="C6"),
            note("church organ", pitch="G3"),
            note("nylon guitar", pitch="E3"),
            note("violin", pitch="A4"),
            note("string ensemble 1", pitch="D4"),
            note("trumpet", pitch="Bb4"),
            note("alto sax", pitch="Eb4"),
            note("flute", pitch="G5"),
            note("warm pad", pitch="F3"),
        ),
    ),
    Section(
        "players",
        "The same note by eight players",
        "A seed is a player with an instrument of their own. Everything else is the same.",
        (Line("violin", "generate", {"n": 8, "instrument": "violin", "pitch": "A4"}),),
    ),
    Section(
        "between",
        "Between the keys",
        "Pitch is exact, and need not be a key of the piano. Here are quarters of a semitone.",
        (
            note("C5", "flute", pitch="72"),
            note("a quarter up", "flute", pitch="72.25"),
            note("half up", "flute", pitch="72.5"),
            note("three quarters up", "flute", pitch="72.75"),
            note("C#5", "flute", pitch="73"),
        ),
    ),
    Section(
        "velocity",
        "From pp to ff",
        "Velocity is not a volume knob: a trumpet played harder has more overtones and a harder attack.",
        (
            note("pp", "trumpet", pitch="C5", velocity=32),
            note("p", "trumpet", pitch="C5", velocity=46),
            note("mf", "trumpet", pitch="C5", velocity=76),
            note("f", "trumpet", pitch="C5", velocity=94),
            note("ff", "trumpet", pitch="C5", velocity=110),
        ),
    ),
    Section(
        "hold",
        "Short and long",
        "A note is held for as long as you like, then released. Nothing is looped or stretched.",
        (
            note("0.1 s", "cello", pitch="C3", seconds=0.1),
            note("0.5 s", "cello", pitch="C3", seconds=0.5),
            note("2 s", "cello", pitch="C3", seconds=2.0),
            note("8 s", "cello", pitch="C3", seconds=8.0),
        ),
    ),
    Section(
        "morph",
        "From a flute to a cello",
        "In eight steps that are even to the ear; then in a song, whose flute turns into a cello from 0:35 to 1:05.",
        (
            Line("flute to cello", "morph", {"start": "flute", "stop": "cello"}),
            Line("in a song", "play", {"morphs": ["flute>cello@0:35-1:05"]}),
        ),
    ),
    Section(
        "blend",
        "Blends",
        "Not two instruments at once, but one between them.",
        (
            note("flute", pitch="A4"),
            note("flute 0.6, strings 0.4", "flute:0.6,string ensemble 1:0.4", pitch="A4"),
            note("flute 0.3, strings 0.7", "flute:0.3,string ensemble 1:0.7", pitch="A4"),
            note("strings", "string ensemble 1", pitch="A4"),
            note("marimba and choir", "marimba,choir aahs", pitch="A4"),
        ),
    ),
    Section(
        "variation",
        "How far from the typical",
        "0 is an instrument's most typical sound, 1 as varied as the sounds it was trained on.",
        (
            note("variation 0", "nylon guitar", pitch="E3", variation=0.0, seed=5),
            note("variation 0.25", "nylon guitar", pitch="E3", variation=0.25, seed=5),
            note("variation 0.5", "nylon guitar", pitch="E3", variation=0.5, seed=5),
            note("variation 0.75", "nylon guitar", pitch="E3", variation=0.75, seed=5),
            note("variation 1", "nylon guitar", pitch="E3", variation=1.0, seed=5),
        ),
    ),
    Section(
        "clone",
        "A clone of one note",
        "One recorded note becomes a voice. An octave above it: what a sampler makes of the recording, what the clone"
        " plays, and the real note, which the clone has never heard.",
        (
            Recording("recorded, E4", RECORDED),
            Line("my-flute", "clone", {"samples": RECORDED, "name": "my flute"}),
            note("the clone, E4", "my flute", "my-flute", pitch="E4", velocity=113, seconds=0.55),
            Recording("a sampler, E5", RECORDED, semitones=12),
            note("the clone, E5", "my flute", "my-flute", pitch="E5", velocity=120, seconds=0.69),
            Recording("the real one, E5", OCTAVE_UP),
        ),
    ),
    Section(
        "song",
        "The bundled song, in a room",
        "Two choirs, one answering the other.",
        (Line("antiphon", "play", {"room": 0.4}),),
    ),
    Section(
        "scenes",
        "Places that do not exist",
        "Imagined from noise and a name, in stereo, as long as you like. The fourth is a loop: its end joins its"
        " beginning.",
        (
            place("rain"),
            place("sea"),
            place("a night that turns into a storm", "night>storm@0:05-0:15", seconds=20.0),
            place("a stream, looped", "stream", seconds=8.0, loop=True),
            place("rain in a crowd", "rain:0.6,crowd:0.4"),
            place("a calm fire", "fire", density=0.1),
            place("a lively fire", "fire", density=0.9),
        ),
    ),
    Section(
        "export",
        "Played elsewhere",
        "A pack of samples for other people's instruments, a soundfont, and a page that is the instrument itself: open"
        " it and press a key.",
        (
            pack("a flute for sforzando, Sfizz and Reaper", "sfz", instrument=["flute"], keys=6),
            pack("a flute for DecentSampler", "decentsampler", instrument=["flute"], keys=6),
            pack("strings and brass as a soundfont", "sf2", instrument=["string ensemble 1", "french horn"], keys=6),
            pack("five instruments as a page", "web", instrument=list(ON_THE_PAGE)),
        ),
    ),
)
