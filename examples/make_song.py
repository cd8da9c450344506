"""Writes the project's own two songs: the example that `antiphon play` plays, and a dense one for timing.

    python examples/make_song.py              # antiphon/music/songs/antiphon.mid and benchmarks/songs/dense.mid

"Antiphon": two choirs in D minor, strings on the left and brass with organ on the right, one answering the other;
between them a flute over harp and piano; together at the end. Bars of four beats; each line below is one instrument.
"""

import math
import random
from dataclasses import dataclass, field
from pathlib import Path

import mido

TICKS = 480  # a beat
KICK, RIM, SNARE, LOW_TOM, CRASH, RIDE, SHAKER, TRIANGLE = 36, 37, 38, 41, 49, 51, 82, 81  # keys of channel 10
STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


def key(name: str) -> int:
    """'C#4' -> 61, 'Bb3' -> 58."""
    return 12 * (int(name[-1]) + 1) + STEPS[name[0]] + name.count("#") - name[1:].count("b")


@dataclass
class Line:
    """One instrument's track: events at beats, written as deltas at the end."""

    name: str
    channel: int
    program: int
    volume: int
    pan: int
    events: list[tuple[int, int, mido.Message]] = field(default_factory=list)
    draw: random.Random = field(default_factory=random.Random)

    def __post_init__(self) -> None:
        self.draw.seed(self.name)
        self.control(0, 7, self.volume)
        self.control(0, 10, self.pan)

    def _add(self, beat: float, order: int, kind: str, **values: int) -> None:
        message = mido.Message(kind, channel=self.channel, **values)
        self.events.append((max(round(beat * TICKS), 0), order, message))

    def control(self, beat: float, number: int, value: float) -> None:
        self._add(beat, 1, "control_change", control=number, value=min(max(round(value), 0), 127))

    def note(self, beat: float, beats: float, pitch: int | str, velocity: float, loose: float = 0.008) -> None:
        """A note as a human plays it: a little early or late, a little softer or louder."""
        pitch = key(pitch) if isinstance(pitch, str) else pitch
        start = beat + self.draw.uniform(-loose, loose)
        velocity = min(max(round(velocity + self.draw.gauss(0, 2.5)), 1), 127)
        self._add(start, 2, "note_on", note=pitch, velocity=velocity)
        self._add(start + beats, 0, "note_off", note=pitch, velocity=64)

    def swell(self, start: float, end: float, low: float, high: float, peak: float = 0.55) -> None:
        """Expression from low to high and back, over the beats from start to end."""
        count = max(int((end - start) * 4), 1)
        for i in range(count + 1):
            x = i / count
            rise = x / peak if x < peak else (1 - x) / (1 - peak)
            self.control(start + x * (end - start), 11, low + (high - low) * math.sin(math.pi / 2 * rise))

    def scoop(self, beat: float, depth: float, beats: float = 0.3) -> None:
        """Slide into the note at `beat` from `depth` semitones away (2 is the wheel's full range)."""
        for i in range(13):
            wheel = round(8191 * depth / 2 * math.cos(math.pi / 2 * i / 12) ** 2)
            self._add(beat - 0.02 + beats * i / 12, 1, "pitchwheel", pitch=max(min(wheel, 8191), -8192))

    def track(self) -> mido.MidiTrack:
        track = mido.MidiTrack([mido.MetaMessage("track_name", name=self.name)])
        track.append(mido.Message("program_change", channel=self.channel, program=self.program))
        now = 0
        for tick, _, message in sorted(self.events, key=lambda event: event[:2]):
            track.append(message.copy(time=tick - now))
            now = tick
        return track


def save(path: Path, title: str, tempi: list[tuple[float, float]], lines: list[Line]) -> None:
    """Write a type 1 file; tempi are (beat, beats per minute)."""
    conductor = mido.MidiTrack([mido.MetaMessage("track_name", name=title)])
    conductor.append(mido.MetaMessage("time_signature", numerator=4, denominator=4))
    now = 0
    for beat, tempo in tempi:
        conductor.append(mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(tempo), time=round(beat * TICKS) - now))
        now = round(beat * TICKS)
    path.parent.mkdir(parents=True, exist_ok=True)
    mido.MidiFile(type=1, ticks_per_beat=TICKS, tracks=[conductor, *(line.track() for line in lines)]).save(path)


# ---- Antiphon. Chords: beats, then bass, tenor, alto, soprano.

CALL = """2 D3 A3 F4 A4 | 2 Bb2 Bb3 F4 D5 | 2 C3 G3 E4 C5 | 2 A2 C4 F4 C5
2 G2 D4 G4 Bb4 | 1 A2 D4 E4 A4 | 1 A2 C#4 E4 A4 | 4 D3 D4 F4 A4"""
ANSWER = """2 D3 A3 F4 D5 | 2 E3 G3 G4 C5 | 2 F3 A3 F4 C5 | 2 D3 Bb3 F4 Bb4
2 G2 Bb3 D4 Bb4 | 2 C3 Bb3 E4 G4 | 4 F2 A3 F4 A4"""
EXCHANGE = [  # strings, brass, strings, brass: a bar each
    "2 D3 A3 D4 F4 | 1 E3 G3 C4 G4 | 1 F3 A3 F4 C5",
    "2 G2 D4 G4 Bb4 | 1 A2 C4 F4 C5 | 1 Bb2 Bb3 F4 D5",
    "2 C3 G3 E4 C5 | 1 C#3 A3 E4 A4 | 1 D3 A3 F4 A4",
    "2 Bb2 Bb3 F4 D5 | 1 G2 Bb3 E4 D5 | 1 A2 A3 E4 C#5",
]
TUTTI = """2 D3 A3 F4 A4 | 2 Bb2 Bb3 F4 D5 | 2 C3 G3 E4 C5 | 2 A2 C4 F4 C5
2 G2 D4 G4 Bb4 | 1 A2 D4 E4 A4 | 1 A2 C#4 E4 A4 | 2 Bb2 D4 D4 F4 | 2 G2 D4 E4 Bb4
2 A2 D4 E4 A4 | 2 A2 C#4 E4 G4 | 2 D3 D4 D4 F#4 | 2 D3 Bb3 D4 G4 | 8 D3 A3 D4 F#4"""
SOLO = """1.5 C5 | .5 D5 | 1 C5 | 1 A4 | 2 G4 | 1 C5 | 1 E5 | 2 F5 | .5 E5 | .5 D5 | 1 A4 | 2 C5 | 1 A4 | 1 E5
1.5 D5 | .5 F5 | 2 Bb5 | 1 A5 | .5 G5 | .5 F5 | 2 C5 | 1 Bb4 | 1 D5 | 1 G5 | 1 F5 | 2 E5 | 1 D5 | 1 C#5"""
DESCANT = """2 D5 | 1 F5 | 1 Bb5 | 2 G5 | 1 A5 | 1 F5 | 2 D5 | 1 E5 | 1 C#5 | 2 F5 | 1 G5 | 1 E5
2 A5 | 1.5 G5 | .5 E5 | 2 F#5 | 1 D5 | 1 G5 | 8 F#5"""
HARMONY = ["F3 A3 C4 F4", "E3 G3 C4 E4", "D3 A3 D4 F4", "A2 A3 C4 E4", "Bb2 F3 Bb3 D4", "A2 F3 A3 C4", "G2 G3 Bb3 F4",
           "A2 G3 C#4 E4"]  # fmt: skip


def chords(text: str) -> list[tuple[float, list[str]]]:
    """'2 D3 A3 | 1 C3' -> [(2.0, ['D3', 'A3']), (1.0, ['C3'])]."""
    words = [item.split() for item in text.replace("\n", "|").split("|")]
    return [(float(beats), names) for beats, *names in words]


def choir(line: Line, beat: float, text: str, velocity: float, voices: slice = slice(1, 4), shift: int = 0) -> float:
    """Sing chords from `beat` on, tying repeated notes of a voice; returns the beat after them."""
    sung = chords(text)
    for place in range(4)[voices]:
        now, held = beat, 0.0
        for i, (beats, names) in enumerate(sung):
            held += beats
            now += beats
            if i + 1 == len(sung) or sung[i + 1][1][place] != names[place]:
                accent = velocity + (6 if place == 3 else 0)
                if place == 0 or names[place] != names[place - 1]:  # a unison is sung once
                    line.note(now - held, held * 0.97, key(names[place]) + shift, accent)
                held = 0.0
    return beat + sum(beats for beats, _ in sung)


def melody(line: Line, beat: float, text: str, velocity: float) -> None:
    """A line of single notes, nearly legato, the higher the louder."""
    for beats, (name,) in chords(text):
        line.note(beat, beats * 0.96, name, velocity + (key(name) - 74) * 0.8)
        beat += beats


def arpeggios(harp: Line, piano: Line, bass: Line, beat: float) -> None:
    """Eight bars under the solo: harp in quavers, from the fifth bar on the piano with it, on the pedal."""
    for bar, harmony in enumerate(HARMONY):
        names = harmony.split()
        wave = [key(name) + 12 * up for up in (0, 1) for name in names][:6]
        for i, place in enumerate([0, 1, 2, 3, 4, 3, 2, 1]):
            harp.note(beat + i / 2, 0.9, wave[place] + (12 if bar % 2 and place == 4 else 0), 62 + (8 if i == 0 else 0))
        bass.note(beat, 0.9, key(names[0]) - (12 if key(names[0]) > 45 else 0), 70)
        bass.note(beat + 2.5, 0.45, key(names[0]), 56)
        if bar >= 4:
            piano.control(beat + 0.02, 64, 127)
            for i, place in enumerate([0, 1, 2, 3]):
                piano.note(beat + i / 4, 0.3, key(names[place]) + 12, 52 + 3 * i)
            piano.note(beat + 2, 0.5, key(names[3]) + 12, 60)
            piano.note(beat + 3, 0.5, key(names[2]) + 12, 50)
            piano.control(beat + 3.9, 64, 0)
        beat += 4


def finale(flute: Line, harp: Line, piano: Line, bells: Line, beat: float) -> None:
    """The instruments that join the two choirs at the end."""
    melody(flute, beat, DESCANT, 84)
    flute.scoop(beat + 24, -0.6, 0.5)
    for now, names in zip(
        [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22], chords(TUTTI)[:5] + chords(TUTTI)[6:], strict=False
    ):
        for i, name in enumerate(names[1][1:] * 2):
            harp.note(beat + now + i / 3, 0.8, key(name) + 12 * (i // 3), 64 + 2 * i)
    piano.control(beat + 24, 64, 127)
    for i, name in enumerate(["D2", "A2", "D3", "F#3", "A3", "D4", "F#4", "A4", "D5", "F#5", "A5", "D6"]):
        piano.note(beat + 24 + i / 4, 0.3, name, 58 + 2 * i)
        harp.note(beat + 25 + i / 6, 1.5, name, 60 + i)
    piano.control(beat + 31.5, 64, 0)
    for now, name in [(24, "D6"), (25, "A5"), (26, "F#6"), (28, "D6")]:
        bells.note(beat + now, 2, name, 80)


def percussion(line: Line, answer: float, solo: float, exchange: float, tutti: float) -> None:
    """Channel 10: a low tom under the second choir, a brushed pulse under the solo, a march that grows through the
    exchange, cymbals for the end."""
    for bar in range(4):
        line.note(answer + 4 * bar, 0.2, LOW_TOM, 52 + 3 * bar)
    for bar in range(8):
        beat = solo + 4 * bar
        for half in range(8):
            line.note(beat + half / 2, 0.1, SHAKER, 34 + 14 * (half % 2 == 0) + 2 * bar)
        line.note(beat, 0.2, KICK, 52 + 2 * bar)
        line.note(beat + 2, 0.2, RIM, 44 + 2 * bar)
        if bar >= 4:
            line.note(beat + 2.5, 0.2, KICK, 50)
            line.note(beat + 3, 0.2, TRIANGLE, 46)
    for bar in range(4):
        beat, force = exchange + 4 * bar, 58 + 8 * bar
        for at, accent in [(0, 10), (1, 0), (1.5, -8), (2, 6), (3, 0), (3.25, -10), (3.5, -6), (3.75, -2)]:
            line.note(beat + at, 0.1, SNARE, force + accent)
        line.note(beat, 0.2, KICK, force + 8)
        line.note(beat + 2, 0.2, KICK, force)
    line.note(tutti, 0.2, CRASH, 96)
    for bar in range(6):
        line.note(tutti + 4 * bar, 0.2, KICK, 84)
        line.note(tutti + 4 * bar + 2, 0.2, LOW_TOM, 74)
        for half in range(8):
            line.note(tutti + 4 * bar + half / 2, 0.1, RIDE, 50 + 10 * (half % 2 == 0))
        line.note(tutti + 4 * bar + 3, 0.1, SNARE, 60)
    for i in range(16):  # a roll into the last chord
        line.note(tutti + 22 + i / 8, 0.1, SNARE, 40 + 3 * i)
    line.note(tutti + 24, 0.2, CRASH, 102)
    line.note(tutti + 24, 0.2, KICK, 92)
    line.note(tutti + 28, 0.2, TRIANGLE, 52)


def antiphon() -> tuple[list[tuple[float, float]], list[Line]]:
    strings, brass = Line("Strings, choir I", 0, 48, 104, 30), Line("Brass, choir II", 1, 61, 84, 98)
    organ, flute = Line("Organ, choir II", 2, 19, 62, 84), Line("Flute", 3, 73, 102, 56)
    harp, piano = Line("Harp", 4, 46, 100, 92), Line("Piano", 5, 0, 96, 44)
    bass, bells = Line("Contrabass", 6, 43, 100, 64), Line("Glockenspiel", 7, 9, 94, 76)
    pizzicato, kit = Line("Pizzicato", 8, 45, 96, 60), Line("Drums", 9, 0, 92, 64)

    answer = choir(strings, 0, CALL, 74)
    choir(bass, 0, CALL, 66, slice(0, 1), -12)
    strings.swell(0, 15.5, 78, 120)
    solo = choir(brass, answer, ANSWER, 84)
    choir(organ, answer, ANSWER, 70, slice(0, 4))
    brass.swell(answer, answer + 15.5, 76, 118)
    organ.swell(answer, answer + 15.5, 90, 118)
    # A sigh of the strings under the answer's last bar leads over.
    strings.note(solo - 2, 1.9, "C5", 50)
    strings.note(solo - 2, 1.9, "F4", 48)
    melody(flute, solo, SOLO, 80)
    for bar in range(8):
        flute.swell(solo + 4 * bar, solo + 4 * bar + 3.9, 84, 118)
    flute.scoop(solo + 18, -0.9)  # the high B flat
    flute.scoop(solo + 28, -0.5)
    arpeggios(harp, piano, pizzicato, solo)
    for bar, name in [(4, "D6"), (5, "C6"), (6, "Bb5"), (7, "A5")]:
        bells.note(solo + 4 * bar + 2, 1, name, 72)
    strings.swell(solo + 16, solo + 31.5, 40, 84, 0.9)
    for bar, names in enumerate(["F4 Bb4", "F4 A4", "D4 G4", "E4 G4"]):
        for name in names.split():
            strings.note(solo + 16 + 4 * bar, 3.9, name, 46)

    beat = solo + 32
    for turn, text in enumerate(EXCHANGE):
        who, depth = ((strings, -12), (brass, 0))[turn % 2]
        choir(who, beat, text, 80 + 5 * turn)
        choir(bass if turn % 2 == 0 else organ, beat, text, 74 + 3 * turn, slice(0, 1), depth)
        who.swell(beat, beat + 3.9, 92, 122, 0.8)
        beat += 4
    for line, velocity in [(strings, 88), (brass, 82), (organ, 74)]:
        choir(line, beat, TUTTI, velocity, slice(0, 4) if line is organ else slice(1, 4))
        line.swell(beat, beat + 16, 96, 126)
        line.swell(beat + 16, beat + 31.9, 124, 60, 0.98)
    choir(bass, beat, TUTTI, 82, slice(0, 1), -12)
    flute.swell(beat, beat + 31.9, 104, 110)
    finale(flute, harp, piano, bells, beat)
    percussion(kit, answer, solo, solo + 32, beat)

    tempi = [(0.0, 84.0), (answer, 88.0), (solo, 92.0), (solo + 31, 84.0), (solo + 32, 96.0), (beat, 90.0)]
    tempi += [(beat + 18 + i, 88.0 - 3.5 * i) for i in range(7)]
    return tempi, [strings, brass, organ, flute, harp, piano, bass, bells, pizzicato, kit]


# ---- The dense song: eight tracks that never rest, cycling through the tutti's harmony.


def dense(bars: int = 90) -> tuple[list[tuple[float, float]], list[Line]]:
    names = ["Strings", "Brass", "Flute", "Piano", "Harp", "Bass", "Organ", "Vibraphone"]
    programs, pans = [48, 61, 73, 0, 46, 32, 19, 11], [30, 98, 56, 44, 92, 64, 84, 76]
    lines = [Line(name, i, programs[i], 92, pans[i]) for i, name in enumerate(names)]
    strings, brass, flute, piano, harp, bass, organ, vibes = lines
    draw = random.Random("dense")
    for bar in range(bars):
        beat, chord = 4.0 * bar, [key(name) for name in HARMONY[bar % 8].split()]
        force = 66 + 22 * math.sin(2 * math.pi * bar / 16)
        for half in (0, 2):
            for line, shift in ((strings, 12), (brass, 0)):
                if (bar // 2 + (line is brass)) % 2 == 0 or bar % 16 > 11:
                    for pitch in chord[1:]:
                        line.note(beat + half, 1.9, pitch + shift, force)
        strings.swell(beat, beat + 3.9, 80, 118)
        for pitch in chord:
            organ.note(beat, 3.9, pitch, force - 14)
        piano.control(beat + 0.03, 64, 127)
        piano.control(beat + 3.95, 64, 0)
        for i in range(16):
            piano.note(beat + i / 4, 0.24, chord[(i * 3 + bar) % 4] + 12 * (i // 4 % 2), force - 8 + 6 * (i % 4 == 0))
        for i in range(8):
            harp.note(beat + i / 2, 0.9, chord[[0, 1, 2, 3, 2, 3, 2, 1][i]] + 12, force - 10)
            bass.note(beat + i / 2, 0.45, chord[0] - (12 if i % 4 else 0) - (12 if chord[0] > 52 else 0), force)
        for i in range(8):
            if draw.random() < 0.8:
                flute.note(beat + i / 2, 0.48, draw.choice(chord[1:]) + 24, force + 4)
            if i % 2 == 0:
                vibes.note(beat + i / 2, 1.2, draw.choice(chord) + 24, force - 12)
        if bar % 4 == 3:
            flute.scoop(beat + 3, -0.7)
    return [(0.0, 120.0)], lines


def main() -> None:
    root = Path(__file__).resolve().parent.parent
    save(root / "antiphon/music/songs/antiphon.mid", "Antiphon", *antiphon())
    save(root / "benchmarks/songs/dense.mid", "Dense", *dense())


if __name__ == "__main__":
    main()
