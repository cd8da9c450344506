"""The verbs of the command line: the options of each, their help, and the call behind it. Heavy modules are imported
when a verb runs."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from tyro.conf import FlagCreatePairsOff, Positional, arg

from antiphon.cli.judge import Compare, Evaluate
from antiphon.cli.options import AS_USUAL, PLAIN_FORM, Command, File, Flag, OnlyForm, Spoken, Words, opt, show
from antiphon.core.errors import AntiphonError


@dataclass(frozen=True)
class Play(Spoken):
    """Play a MIDI file with a voice, into a sound file.

    Example: antiphon play song.mid -o song.wav --map 2=violin,3="church organ" --room 0.4 --stems
    """

    song: Annotated[Positional[Path | None], opt("SONG.mid")] = None
    """a MIDI file (default: the bundled song)"""
    out: Annotated[str | None, opt("OUT.wav", "-o")] = None
    """the sound file (wav, flac, ogg, mp3, opus, aiff), or a folder/ for it (default: an unused name in this folder)"""
    voice: Annotated[str, arg(metavar="V")] = "gm"
    """a bundled voice, a run folder or a weights file"""
    instrument: Annotated[str | None, opt("LABEL", "-i")] = None
    """one instrument for every part, in place of the song's own; also a blend (flute:0.6,strings:0.4), NOTE.wav, or
    another voice's, as in --map"""
    map: Annotated[Words, opt("WHERE=LABEL,...")] = ()
    """instruments for some parts; WHERE is a channel (1-16), tN for track N, or part of a track's name; the LABEL kit
    makes a part drums (11=kit), any other makes drums melodic; LABEL may be another voice's (Flute=oboe.safetensors,
    2=gm:violin, t3=runs/sax:alto sax)"""
    only: Annotated[Words, opt("WHERE ...")] = ()
    """play only these parts, named as in --map, or drums"""
    mute: Annotated[Words, opt("WHERE ...")] = ()
    """leave these parts out"""
    bars: Annotated[str | None, opt("8-16")] = None
    """play these bars, the last included"""
    start: Annotated[str | None, arg(name="from", metavar="M:SS", help_behavior_hint="")] = None
    """begin at this time of the song"""
    stop: Annotated[str | None, arg(name="to", metavar="M:SS", help_behavior_hint="")] = None
    """end at this time"""
    tempo: Annotated[float, arg(metavar="TIMES")] = 1.0
    """how many times as fast as written"""
    transpose: Annotated[float, arg(metavar="SEMITONES")] = 0.0
    """higher or lower by so many semitones; drums stay as they are"""
    morph: Annotated[Words, opt("FROM>TO@M:SS-M:SS")] = ()
    """parts that play FROM turn into TO between two times (flute>cello@0:30-1:00), or throughout the song if none are
    given; --map and --instrument take such morphs too, for the parts you choose"""
    variation: Annotated[float | None, opt("0-1")] = None
    """how far the players may stray from their instruments' typical sounds (default: 1)"""
    control: Annotated[Words, opt("NAME=-1..1 ...")] = ()
    """turn the players' sounds: brightness=+1 attack=-0.5 (`antiphon info V` lists the names); kit.decay=-1 turns the
    drums'"""
    room: Annotated[float, arg(metavar="0-1")] = 0.0
    """reverberation: 0 is none, 1 a hall"""
    width: Annotated[float, arg(metavar="0-1")] = 0.5
    """how wide the band sits: 0 leaves every sound a point where the song puts it; -1 to 0 is the stage as the players
    see it"""
    stems: Flag = False
    """also write a file for each track (and one for the room); together they are the mix before its limiter"""
    kit: Annotated[str | None, opt("V")] = None
    """a drum voice for the song's drums (default: the bundled kit)"""
    layers: Annotated[FlagCreatePairsOff[bool], arg(aliases=["--parts"], help_behavior_hint="")] = False
    """also write two files: everything tonal, and everything noisy (--parts is its older name)"""
    dry_run: Flag = False
    """only say who would play what"""
    seed: Annotated[str, arg(metavar="N|NAME")] = "0"
    """random seed, a number or any name: another seed, another band"""
    force: Flag = False
    """replace files that exist"""

    file: File = AS_USUAL

    def run(self) -> None:
        from antiphon.music.casting import parse_mapping
        from antiphon.verbs.play import play, who_plays
        from antiphon.voices.controls import parse_controls

        how: dict[str, Any] = (
            self.file.form()
            | {"quiet": self.quiet}
            | {
                name: getattr(self, name)
                for name in ("instrument", "variation", "seed", "room", "kit", "bars", "start", "stop", "tempo")
            }
        )
        how |= {"mapping": parse_mapping([word for words in self.map for word in words])}
        how |= {"morphs": [text for texts in self.morph for text in texts], "transpose": self.transpose}
        how["control"] = parse_controls(_flat(self.control))
        how |= {"only": _flat(self.only), "mute": _flat(self.mute), "width": self.width}
        if self.dry_run:
            heard = {name: value for name, value in how.items() if name not in ("rate", "bits", "mono")}
            print("\n".join(who_plays(self.song, self.voice, **heard)))
            return
        files: dict[str, Any] = {"stems": self.stems, "layers": self.layers, "force": self.force}
        print(play(self.song, self.out, self.voice, **files, **how))


@dataclass(frozen=True)
class Generate(Spoken):
    """Make new notes from noise, each in its own file.

    Example: antiphon generate gm -o sounds -n 8 --instrument violin --pitch A4 --style bright
    """

    voice: Annotated[Positional[str], arg(metavar="V")]
    """a bundled voice, a run folder or a weights file"""
    out: Annotated[Path, arg(metavar="DIR", aliases=["-o"])]
    """the folder for the sounds, or a sound file for a single one"""
    n: Annotated[int | None, opt("N", "-n")] = None
    """how many, each another player's (default: 16; 1 for several pitches, or for a file)"""
    instrument: Annotated[str | None, opt("LABEL", "-i")] = None
    """an instrument, General MIDI name, number or family, a blend (flute:0.6,strings:0.4) or a recording (NOTE.wav)
    (default: any)"""
    style: Annotated[Words, opt("LABEL ...")] = ()
    """style words, such as bright or plucked; if the voice was trained with descriptors, also brightness=0..1"""
    variation: Annotated[float | None, opt("0-1")] = None
    """how far from the typical sound (or the recording) to go: 0 is not at all, 1 as far as the training sounds
    (default: 1; 0 for a recording)"""
    control: Annotated[Words, opt("NAME=-1..1 ...")] = ()
    """turn the sounds: brightness=+1 attack=-0.5 (`antiphon info V` lists the names)"""
    pitch: Annotated[tuple[str, ...], opt("C4|61|60.5 ...")] = ()
    """the note to play, or several: C4 E4 G4, or C3..C6 every 3 (default: drawn from the instrument's range; for a
    blend, one that all of it can play)"""
    velocity: Annotated[float, arg(metavar="1-127")] = 100.0
    """how hard it is played"""
    seconds: Annotated[float | None, opt("S")] = None
    """how long it is held, before its release (default: 2)"""
    room: Annotated[float, arg(metavar="0-1")] = 0.0
    """reverberation: 0 is none, 1 a hall"""
    seed: Annotated[str, arg(metavar="N|NAME")] = "0"
    """random seed of the first sound, a number or any name; the others count up from it"""
    force: Flag = False
    """replace files that exist"""

    file: File = AS_USUAL

    def run(self) -> None:
        from antiphon.verbs.generate import generate
        from antiphon.voices.controls import parse_controls

        how: dict[str, Any] = {"instrument": self.instrument, "style": _flat(self.style), "room": self.room}
        how |= self.file.form() | {"quiet": self.quiet} | {"pitch": self.pitch or None}
        how |= {"velocity": self.velocity, "seconds": self.seconds, "seed": self.seed, "force": self.force}
        how |= {"variation": self.variation, "control": parse_controls(_flat(self.control))}
        print(generate(self.voice, self.out, self.n, **how))


@dataclass(frozen=True)
class Morph(Spoken):
    """Turn one sound into another in steps that are even to the ear, one after another in one file.

    Example: antiphon morph gm --from flute --to cello -o morph.wav --picture
    """

    voice: Annotated[Positional[str], arg(metavar="V")]
    """a bundled voice, a run folder or a weights file"""
    start: Annotated[str, arg(name="from", metavar="LABEL|NOTE.wav")]
    """where to begin: an instrument, a blend (flute:0.6,strings:0.4) or a recording of one note"""
    stop: Annotated[str, arg(name="to", metavar="LABEL|NOTE.wav")]
    """where to end"""
    out: Annotated[Path, arg(metavar="OUT.wav", aliases=["-o"])]
    """the sound file (wav, flac, ogg, mp3, opus, aiff)"""
    steps: Annotated[int, arg(metavar="N")] = 8
    """how many sounds, including both ends"""
    pitch: Annotated[str | None, opt("C4|61|60.5")] = None
    """the note to play (default: one that both can play)"""
    velocity: Annotated[float, arg(metavar="1-127")] = 100.0
    """how hard it is played"""
    seconds: Annotated[float, arg(metavar="S")] = 1.5
    """how long each is held, before its release"""
    seed: Annotated[str, arg(metavar="N|NAME")] = "0"
    """random seed, a number or any name: another seed, another player"""
    variation: Annotated[float | None, opt("0-1")] = None
    """how far the ends may be from the typical sounds (or the recordings); see `antiphon generate --help`"""
    control: Annotated[Words, opt("NAME=-1..1 ...")] = ()
    """turn all of the sounds: brightness=+1 attack=-0.5 (`antiphon info V` lists the names)"""
    picture: Flag = False
    """also draw the spectrograms side by side, in a PNG of the same name"""
    force: Flag = False
    """replace files that exist"""

    file: File = AS_USUAL

    def run(self) -> None:
        from antiphon.verbs.morph import morph
        from antiphon.voices.controls import parse_controls

        how: dict[str, Any] = {"steps": self.steps, "pitch": self.pitch, "velocity": self.velocity, "seed": self.seed}
        how |= {"seconds": self.seconds, "variation": self.variation, "picture": self.picture, "force": self.force}
        how["control"] = parse_controls(_flat(self.control))
        how |= self.file.form() | {"quiet": self.quiet}
        print(morph(self.voice, self.out, self.start, self.stop, **how))


@dataclass(frozen=True)
class Scene(Spoken):
    """Imagine a place and let it sound: rain that never repeats, a loop without a seam, a storm that comes up.

    Example: antiphon scene -o storm.flac --sound "rain>storm@1:00-3:00" --minutes 5
    """

    out: Annotated[Path, arg(metavar="OUT.wav", aliases=["-o"])]
    """the sound file (wav, flac, ogg, mp3, opus, aiff)"""
    voice: Annotated[Positional[str], arg(metavar="V")] = "ambience"
    """a bundled voice, a run folder or a weights file"""
    sound: Annotated[str | None, opt("LABEL|REC.wav", "-s")] = None
    """where it is: a label, a blend (rain:0.6,crowd:0.4), a change (rain>storm@1:00-3:00) or a recording of a place
    (default: any)"""
    like: Annotated[str | None, opt("REC.wav")] = None
    """go on like this recording, as loud as it is, without copying it"""
    script: Annotated[str | None, opt("PARK.txt")] = None
    """layers and events with their times, levels and places, in a text file (docs/scenes.md)"""
    seconds: Annotated[float | None, opt("S")] = None
    """how long (default: 30, or what the script says)"""
    minutes: Annotated[float | None, opt("M")] = None
    """the same in minutes"""
    loop: Flag = False
    """let the end join the beginning"""
    seed: Annotated[str | None, opt("N|NAME")] = None
    """a number or any name: another seed, another place (default: 0, or the script's)"""
    variation: Annotated[float | None, opt("0-1")] = None
    """how far from the typical place of its kind (default: 1)"""
    density: Annotated[float | None, opt("0-1")] = None
    """how much happens, from the calmest to the busiest of its recordings (default: as imagined)"""
    brightness: Annotated[float | None, opt("0-1")] = None
    """from the darkest to the brightest"""
    motion: Annotated[float | None, opt("0-1")] = None
    """from the steadiest to the most changing"""
    width: Annotated[float | None, opt("0-1")] = None
    """from mono to the widest"""
    control: Annotated[Words, opt("NAME=-1..1 ...")] = ()
    """turn the place by its voice's controls: hiss=-1 motion=+0.5 (`antiphon info V` lists them)"""
    level: Annotated[float | None, opt("DB")] = None
    """louder or softer by so many dB; 0 is -23 LUFS, or the loudness of --like"""
    lufs: Annotated[float | None, opt("LUFS")] = None
    """loudness of the whole file, measured, in place of a level"""
    force: Flag = False
    """replace the file if it exists"""

    file: OnlyForm = PLAIN_FORM

    def run(self) -> None:
        from antiphon.verbs.scene import scene
        from antiphon.voices.controls import parse_controls

        names = ("seed", "variation", "density", "brightness", "motion", "width", "level")
        how: dict[str, Any] = {name: value for name in names if (value := getattr(self, name)) is not None}
        how |= {"control": parse_controls(_flat(self.control))} if self.control else {}
        how |= {"sound": self.sound, "like": self.like, "script": self.script, "loop": self.loop, "lufs": self.lufs}
        how |= {"seconds": self.seconds, "minutes": self.minutes, "force": self.force, "quiet": self.quiet}
        print(scene(self.out, self.voice, **how, **self.file.form()))


@dataclass(frozen=True)
class Clone(Spoken):
    """Make a voice of an instrument from one recorded note of it, or from several.

    Example: antiphon clone gm kalimba.wav -o kalimba; antiphon play song.mid --voice kalimba
    """

    voice: Annotated[Positional[str], arg(metavar="V")]
    """the voice to begin from: bundled, a run folder or a weights file"""
    samples: Annotated[Positional[tuple[Path, ...]], opt("SAMPLE.wav ...")]
    """recordings, each of a single note"""
    out: Annotated[Path, arg(metavar="MYVOICE", aliases=["-o"])]
    """the new voice's file; .safetensors is added to its name"""
    pitch: Annotated[tuple[str, ...], opt("A3 ...")] = ()
    """the note of each recording, in their order (default: estimated from the sound)"""
    name: Annotated[str | None, opt("LABEL")] = None
    """what to call the instrument (default: the first recording's name)"""
    as_: Annotated[str | None, arg(name="as", metavar="LABEL", help_behavior_hint="")] = None
    """the voice's instrument that it is most like, such as oboe (default: as heard)"""
    control: Annotated[Words, opt("NAME=-1..1 ...")] = ()
    """turn what was learned: brightness=+1 attack=-0.5 (`antiphon info V` lists the names)"""
    seed: Annotated[str, arg(metavar="N|NAME")] = "0"
    """random seed, a number or any name"""
    force: Flag = False
    """replace the file if it exists"""

    def run(self) -> None:
        from antiphon.verbs.clone import clone
        from antiphon.voices.controls import parse_controls

        how: dict[str, Any] = {"pitch": self.pitch, "name": self.name, "as_": self.as_}
        how["control"] = parse_controls(_flat(self.control))
        how |= {"seed": self.seed, "force": self.force, "quiet": self.quiet}
        print(clone(self.voice, self.samples, self.out, **how))


@dataclass(frozen=True)
class Export(Spoken):
    """Write a voice as samples for a sampler (SFZ, SoundFont and others), as a web page that plays, or as ONNX.

    Example: antiphon export gm -o flute --instrument flute; antiphon export gm -o gm.html --format web
    """

    voice: Annotated[Positional[str], arg(metavar="V")]
    """a bundled voice, a run folder or a weights file"""
    out: Annotated[Path, arg(metavar="DIR", aliases=["-o"])]
    """the folder for the pack; for web the HTML file"""
    format: Annotated[str, arg(metavar="sfz|decentsampler|multisample|sf2|wav|web|onnx")] = "sfz"
    """what the sampler reads (multisample: Bitwig Studio, Studio One; wav: Kontakt, Logic, Simpler, MPC and others); or
    the voice itself, without samples: web, a page that plays in a browser, and onnx, its networks"""
    instrument: Annotated[Words, opt("LABEL ...")] = ()
    """instruments, General MIDI names or numbers, blends (flute:0.6,strings:0.4) or recordings (NOTE.wav); `all` for
    everything (default: all, of a voice of few); of a kit: drums"""
    keys: Annotated[int, arg(metavar="N")] = 3
    """semitones from one sampled key to the next, at most"""
    velocities: Annotated[int, arg(metavar="N")] = 3
    """velocity layers; with 1, the sampler makes one sample softer and louder"""
    takes: Annotated[int, arg(metavar="N")] = 2
    """variants of each sample that sound in turn (a soundfont has one)"""
    seconds: Annotated[float | None, opt("S")] = None
    """how long a note is held (default: 2, and up to 6 where it has no loop)"""
    loop: Annotated[Literal["auto", "no"], arg(metavar="auto|no")] = "auto"
    """auto: a note that lasts is looped where nobody hears the join"""
    seed: Annotated[str, arg(metavar="N|NAME")] = "0"
    """random seed, a number or any name: another player"""
    force: Flag = False
    """replace files that exist"""

    def run(self) -> None:
        from antiphon.verbs.export import export

        how: dict[str, Any] = {"format": self.format, "keys": self.keys, "velocities": self.velocities}
        how |= {"takes": self.takes, "seconds": self.seconds, "loop": self.loop, "seed": self.seed}
        how |= {"instrument": [name for group in self.instrument for name in group], "force": self.force}
        how["quiet"] = self.quiet
        print(export(self.voice, self.out, **how))


@dataclass(frozen=True)
class Repair(Spoken):
    """Repair recordings: noise, hum, clicks, clipping, missing treble. What is right stays as it is.

    Example: antiphon repair tape.wav -o better.wav; antiphon repair old-takes -o new-takes --what noise,hum
    """

    sounds: Annotated[Positional[tuple[Path, ...]], opt("IN.wav ... | FOLDER")]
    """sound files of any format, length and number of channels, or a folder of them"""
    out: Annotated[Path | None, opt("OUT.wav", "-o")] = None
    """the sound file (wav, flac, ogg, mp3, opus, aiff), or PAGE.html with before and after; for several sounds, a
    folder"""
    what: Annotated[str, arg(metavar="auto|noise,hum,...")] = "auto"
    """auto: what is heard to be wrong; or some of noise, hum, clicks, clipping, bandwidth, codec, reverb"""
    strength: Annotated[float, arg(metavar="0-1")] = 1.0
    """how much of the change is made; 0 leaves everything as it is"""
    removed: Annotated[Path | None, opt("FILE.wav")] = None
    """also write what was taken away"""
    picture: Flag = False
    """also draw spectrograms before and after, in a PNG of the same name"""
    listen: Flag = False
    """only say what is wrong"""
    voice: Annotated[str, arg(metavar="V")] = "repair"
    """a bundled voice, a run folder or a weights file that repairs"""
    force: Flag = False
    """replace files that exist"""

    def run(self) -> None:
        from antiphon.verbs.repair import listen_to, repair

        if self.listen:
            print("\n".join(listen_to(self.sounds, quiet=self.quiet)))
            return
        if self.out is None:
            raise AntiphonError("where to? give -o OUT.wav, or a folder for several sounds (--listen needs none)")
        how: dict[str, Any] = {"what": self.what, "strength": self.strength, "removed": self.removed}
        how |= {"picture": self.picture, "voice": self.voice, "force": self.force, "quiet": self.quiet}
        print(repair(self.sounds, self.out, **how))


@dataclass(frozen=True)
class Live(Spoken):
    """Play a voice from a MIDI keyboard, or from the computer's keys, and hear it at once.

    Example: antiphon live gm --instrument violin
    """

    voice: Annotated[Positional[str], arg(metavar="V")] = "gm"
    """a bundled voice, a run folder or a weights file"""
    instrument: Annotated[str | None, opt("LABEL", "-i")] = None
    """an instrument, General MIDI name or number, a blend (flute:0.6,strings:0.4) or NOTE.wav; program changes choose
    others"""
    midi: Annotated[str | None, opt("PORT")] = None
    """a MIDI port: its number in --list, or part of its name; keys: the computer's keys (default: the first port,
    or keys)"""
    audio: Annotated[str | None, opt("DEVICE")] = None
    """a loudspeaker: part of its name in --list; null: none (default: the system's)"""
    buffer: Annotated[int, arg(metavar="FRAMES")] = 256
    """frames of the loudspeaker's buffer: smaller answers faster, larger never stutters"""
    kit: Annotated[str | None, opt("V")] = None
    """a drum voice for channel 10 (default: the bundled kit)"""
    polyphony: Annotated[int, arg(metavar="N")] = 16
    """the most notes at once"""
    seed: Annotated[str, arg(metavar="N|NAME")] = "0"
    """random seed, a number or any name: another player"""
    seconds: Annotated[float | None, opt("S")] = None
    """play for so long (default: until Ctrl-C)"""
    list: Flag = False
    """only say which MIDI ports and loudspeakers there are"""

    def run(self) -> None:
        from antiphon.verbs.live.session import listing, live

        if self.list:
            print("\n".join(listing()))
            return
        how = {name: value for name, value in vars(self).items() if name not in ("voice", "list", "verbose")}
        live(self.voice, **how)


@dataclass(frozen=True)
class Gallery(Spoken):
    """Make the sounds that the documentation shows, and a page to see and hear them, with the command behind each.

    Example: antiphon gallery -o gallery --only morph blend
    """

    out: Annotated[Path, arg(metavar="FOLDER", aliases=["-o"])] = Path("gallery")
    """the folder for the sounds and the page, index.html"""
    voice: Annotated[str, arg(metavar="V")] = "gm"
    """a bundled voice, a run folder or a weights file"""
    only: Annotated[Words, opt("NAME ...")] = ()
    """some of imagined, players, between, velocity, hold, morph, blend, variation, clone, song, scenes, export
    (default: all)"""
    seed: Annotated[str, arg(metavar="N|NAME")] = "0"
    """random seed, a number or any name: another seed, other players"""
    force: Flag = False
    """replace files that exist"""

    def run(self) -> None:
        from antiphon.verbs.gallery import gallery

        only = _flat(self.only)
        print(gallery(self.out, self.voice, only=only, seed=self.seed, force=self.force, quiet=self.quiet))


@dataclass(frozen=True)
class Compose(Spoken):
    """Compose music, as MIDI: a new piece, or one that goes on, accompanies or varies what you give.

    Example: antiphon compose -o song.mid --style game --bars 32 --key Am --audio
    """

    out: Annotated[Path | None, opt("SONG.mid", "-o")] = None
    """a MIDI file; or, by its ending, a sound (.wav, .flac, .mp3), a piano roll (.png), or a page with all of them
    (.html) (default: an unused name, song.mid)"""
    voice: Annotated[str, arg(metavar="V")] = "composer"
    """a bundled voice, a run folder or a weights file"""
    style: Annotated[str | None, opt("LABEL")] = None
    """one of the voice's styles (default: drawn by the seed; `antiphon info composer` lists them)"""
    bars: Annotated[int | None, opt("N")] = None
    """how many bars, or how many more with --continue (default: 32)"""
    tempo: Annotated[float | None, opt("BPM")] = None
    """beats a minute"""
    key: Annotated[str | None, opt("Am|F#|Bb")] = None
    """the key, with m for minor"""
    meter: Annotated[str | None, opt("4/4|3/4|6/8")] = None
    """the time signature"""
    density: Annotated[float | None, opt("0-1")] = None
    """few notes (0) to many (1)"""
    parts: Annotated[Words, opt("ROLE,...")] = ()
    """the parts to write: any of melody, inner, chords, bass, drums"""
    more: Annotated[Words, opt("NAME=0-1,...")] = ()
    """other qualities, each from little (0) to much (1): register, syncopation, polyphony"""
    seed: Annotated[str, arg(metavar="N|NAME")] = "0"
    """random seed, a number or any name: another seed, another piece"""
    temperature: Annotated[float, arg(metavar="T")] = 1.0
    """below 1 more usual, above 1 bolder"""
    after: Annotated[Path | None, arg(name="continue", metavar="MINE.mid", help_behavior_hint="")] = None
    """a piece to go on with, in its manner"""
    around: Annotated[Path | None, arg(name="with", metavar="MELODY.mid", help_behavior_hint="")] = None
    """a piece to write other parts for; it stays as it is, note for note"""
    keep: Annotated[Words, opt("1,2")] = ()
    """which of its parts stay, counted from 1 (default: all)"""
    vary: Annotated[Path | None, opt("MINE.mid")] = None
    """a piece to vary"""
    amount: Annotated[float, arg(metavar="0-1")] = 0.3
    """how far: 0 hardly, 1 a new piece"""
    audio: Annotated[tuple[Path, ...] | None, opt("SONG.wav")] = None
    """also write it as a sound, played by gm and kit (default name: as the MIDI file's)"""
    picture: Flag = False
    """also draw a piano roll with sections, in a PNG of the same name"""
    force: Flag = False
    """replace files that exist"""

    def run(self) -> None:
        from antiphon.verbs.compose import compose

        names = ("bars", "after", "around", "vary", "amount", "style", "tempo", "key", "density", "seed")
        how: dict[str, Any] = {name: getattr(self, name) for name in (*names, "temperature", "picture")}
        how |= {"metre": self.meter, "parts": _flat(self.parts), "controls": _controls(_flat(self.more))}
        how |= {"keep": [_whole(word) for word in _flat(self.keep)], "audio": _audio(self.audio)}
        print(compose(self.out, self.voice, **how, force=self.force, quiet=self.quiet))


@dataclass(frozen=True)
class Explain(Spoken):
    """Show why a voice, one of its notes or a recording sounds as it does: controls, causes, parts, nearest sounds.

    Example: antiphon explain gm -o why.html --note "flute C5 seed 7"
    """

    voice: Annotated[Positional[str], arg(metavar="V")]
    """a bundled voice, a run folder or a weights file"""
    out: Annotated[Path, arg(metavar="WHY.html", aliases=["-o"])] = Path("why.html")
    """the page; WHY.json beside it holds the same for programs"""
    instrument: Annotated[str | None, opt("LABEL", "-i")] = None
    """the instrument to hear the controls with (default: the voice's first)"""
    note: Annotated[str | None, opt("TEXT")] = None
    """explain one sound: "flute C5 seed 7", also with velocity 90 and seconds 2"""
    recording: Annotated[Path | None, opt("NOTE.wav")] = None
    """explain what the voice makes of a recording of one note"""
    fit: Flag = False
    """first find the voice's controls by listening to it (minutes), and keep them beside its weights"""
    sounds: Annotated[Path | None, opt("PREPARED")] = None
    """the prepared file of its training sounds, to find the nearest in (default: the run's own)"""
    workers: Annotated[int | None, opt("N")] = None
    """processes that listen (default: one per processor)"""
    force: Flag = False
    """replace files that exist"""

    def run(self) -> None:
        from antiphon.verbs.explain import explain

        how: dict[str, Any] = {"instrument": self.instrument, "note": self.note, "recording": self.recording}
        how |= {"fit": self.fit, "sounds": self.sounds, "workers": _workers(self.workers)}
        print(explain(self.voice, self.out, **how, force=self.force, quiet=self.quiet))


@dataclass(frozen=True)
class Train(Spoken):
    """Learn a voice from a folder of recorded notes. The same command again resumes an interrupted run.

    Example: antiphon train my-notes -o runs/mine --minutes 60
    """

    source: Annotated[Positional[Path], arg(metavar="FOLDER")]
    """a folder of sound files, or a file made by `antiphon data prepare`"""
    out: Annotated[Path, arg(metavar="RUN", aliases=["-o"])]
    """the run's folder: weights, sheets, sounds, log"""
    recipe: Annotated[str | None, opt("NAME")] = None
    """the method: instrument (the default), drums, or one of the literature's GANs: dcgan, wavegan, specgan,
    gansynth, gansynth-r3gan (docs/recipes.md)"""
    size: Annotated[Literal["tiny", "small", "base", "large"] | None, opt("tiny|small|base|large")] = None
    """how large the networks are (default: the starting voice's size, or base)"""
    steps: Annotated[int | None, opt("N")] = None
    """train for this many steps"""
    minutes: Annotated[float | None, opt("M")] = None
    """train for about this long on this machine (default: 10)"""
    start_from: Annotated[str | None, arg(name="from", metavar="V", help_behavior_hint="")] = None
    """begin from this voice (default: the bundled gm, where there is one)"""
    from_scratch: Flag = False
    """begin with untrained networks"""
    seed: Annotated[str | None, opt("N|NAME")] = None
    """random seed, a number or any name (default: 0)"""
    set: Annotated[Words, opt("NAME=VALUE ...")] = ()
    """any setting of the recipe, such as game.rule=hinge or batch=8"""
    threads: Annotated[int | None, opt("N")] = None
    """processors to use, one process each (default: all, or as many as before)"""
    workers: Annotated[int | None, opt("N")] = None
    """processes that analyse the notes before training (default: one per processor)"""
    licence: Annotated[str, opt("TEXT")] = ""
    """licence of the sounds; recorded in the voice"""
    as_: Annotated[str, arg(name="as", metavar="LABEL", help_behavior_hint="")] = ""
    """what to call the instrument, if not by the names of folders and files"""
    force: Flag = False
    """start over in a folder that holds another run"""

    def run(self) -> None:
        from antiphon.recipes.override import parse_settings
        from antiphon.verbs.train import train

        how: dict[str, Any] = {"size": self.size, "steps": self.steps, "minutes": self.minutes, "seed": self.seed}
        how |= {
            "recipe": self.recipe,
            "start_from": self.start_from,
            "from_scratch": self.from_scratch,
            "threads": self.threads,
        }
        how |= {"workers": _workers(self.workers), "licence": self.licence, "as_": self.as_}
        how |= {"force": self.force, "quiet": self.quiet}
        weights = train(self.source, self.out, settings=parse_settings(_settings(self.set)), **how)
        if os.environ.get("RANK", "0") == "0":  # only one of torchrun's processes prints
            print(weights)


@dataclass(frozen=True)
class Info(Spoken):
    """Show what a voice knows: labels, pitch ranges, styles, size, training, licence.

    Example: antiphon info gm guitar
    """

    voice: Annotated[Positional[str | None], opt("V")] = None
    """a bundled voice, a run folder or a weights file (default: list the bundled voices)"""
    words: Annotated[Positional[tuple[str, ...]], opt("WORD ...")] = ()
    """show only instruments with one of these words in their name, family or styles"""
    json: Flag = False
    """print JSON"""

    def run(self) -> None:
        from antiphon.verbs.info import card, facts

        if self.voice is None:
            List().run()
        elif self.json:
            from json import dumps

            print(dumps(facts(self.voice, self.words), indent=2))
        else:
            show(card(self.voice, self.words))


@dataclass(frozen=True)
class List(Spoken):
    """List the voices there are: the bundled ones, and those in a folder.

    Example: antiphon list runs
    """

    folder: Annotated[Positional[Path | None], opt("FOLDER")] = None
    """a folder of run folders and weights files"""

    def run(self) -> None:
        from antiphon.voices.find import bundled, voices_in

        found = bundled() if self.folder is None else [*bundled(), *map(str, voices_in(self.folder))]
        print("\n".join(found) or "no voices are bundled")


@dataclass(frozen=True)
class Inspect(Spoken):
    """Show what a folder of sounds or MIDI files holds: how it was labelled, what was refused and why.

    Example: antiphon data inspect my-notes
    """

    folder: Annotated[Positional[Path], arg(metavar="FOLDER")]
    """a folder of sound files, or of MIDI files"""
    one_shots: Flag = False
    """the sounds are drums or the like: they have names but no pitch"""
    pitch: Annotated[Literal["yes", "auto", "no"], arg(metavar="yes|auto|no")] = "yes"
    """whether every sound must have a pitch; auto: yes, unless most have none"""
    scenes: Flag = False
    """the sounds are long recordings of places: show how they sound and what is wrong in them (default: if they seem to
    be)"""
    as_: Annotated[str, arg(name="as", metavar="LABEL", help_behavior_hint="")] = ""
    """what to call the instrument, if not by the names of folders and files"""
    json: Flag = False
    """print JSON: every file with its labels and their sources, and what was refused"""
    picture: Annotated[Path | None, opt("PAGE.html")] = None
    """write a page: a keyboard of every instrument, or every recording of a place; players; what was refused"""
    force: Flag = False
    """replace the page if it exists"""

    def run(self) -> None:
        from antiphon.verbs.data import described, inspect

        how: dict[str, Any] = {"one_shots": self.one_shots, "pitch": self.pitch, "as_": self.as_}
        how |= {"quiet": self.quiet, "scenes": self.scenes or None}
        if self.json:
            if self.picture is not None:
                raise AntiphonError("--json and --picture are two things: use one")
            from json import dumps

            print(dumps(described(self.folder, **how), indent=2))
        else:
            show(inspect(self.folder, picture=self.picture, force=self.force, **how))
            if self.picture is not None:
                print(self.picture)


@dataclass(frozen=True)
class Cut(Spoken):
    """Cut a long recording of many notes into a folder of notes, named by pitch and velocity.

    Example: antiphon data cut session.wav -o my-notes
    """

    session: Annotated[Positional[Path], arg(metavar="SESSION")]
    """a sound file of notes in succession"""
    out: Annotated[Path, arg(metavar="FOLDER", aliases=["-o"])]
    """the folder for the notes, with cut.html, a picture of where they were cut"""
    name: Annotated[str | None, opt("NAME")] = None
    """what to call the instrument (default: from the session's name)"""
    force: Flag = False
    """write into a folder that contains other files"""

    def run(self) -> None:
        from antiphon.verbs.data import cut

        print(cut(self.session, self.out, name=self.name, force=self.force, quiet=self.quiet))


@dataclass(frozen=True)
class Render(Spoken):
    """Render soundfonts into a folder of labelled notes (needs FluidSynth). The same command again resumes.

    Example: antiphon data render FluidR3_GM.sf2 -o notes --programs 0 40 73
    """

    fonts: Annotated[Positional[tuple[Path, ...]], opt("FONT.sf2 ...")]
    """soundfonts, .sf2 or .sf3"""
    out: Annotated[Path, arg(metavar="FOLDER", aliases=["-o"])]
    """the folder for the notes and their table"""
    programs: Annotated[tuple[int, ...], opt("0-127 ...")] = ()
    """General MIDI programs (default: all that play single notes)"""
    step: int = 2
    """semitones from one key to the next"""
    velocities: int = 3
    """velocity layers per key"""
    seed: Annotated[str, arg(metavar="N|NAME")] = "0"
    """random seed of velocities, holds and what is held out, a number or any name"""
    drums: Flag = False
    """render the hits of the fonts' drum kits instead, for `antiphon train --recipe drums`"""

    def run(self) -> None:
        from antiphon.verbs.data import render

        how: dict[str, Any] = {"step": self.step, "velocities": self.velocities, "seed": self.seed}
        how |= {"drums": self.drums, "quiet": self.quiet}
        print(render(self.fonts, self.out, programs=self.programs, **how))


@dataclass(frozen=True)
class Prepare(Spoken):
    """Analyse a folder of notes into one file: besides the package, all that training on another machine needs.

    Example: antiphon data prepare my-notes -o my-notes.safetensors
    """

    folder: Annotated[Positional[Path], arg(metavar="FOLDER")]
    """a folder of sound files"""
    out: Annotated[Path, arg(metavar="FILE.safetensors", aliases=["-o"])]
    """the prepared file"""
    one_shots: Flag = False
    """the sounds are drums or the like: they have names but no pitch"""
    pitch: Annotated[Literal["yes", "auto", "no"], arg(metavar="yes|auto|no")] = "yes"
    """whether every sound must have a pitch; auto: yes, unless most have none"""
    workers: Annotated[int | None, opt("N")] = None
    """processes to use (default: one per processor)"""
    licence: Annotated[str, opt("TEXT")] = ""
    """licence of the sounds; recorded in the file and in voices trained on it"""
    as_: Annotated[str, arg(name="as", metavar="LABEL", help_behavior_hint="")] = ""
    """what to call the instrument, if not by the names of folders and files"""
    force: Flag = False
    """replace the file if it exists"""

    def run(self) -> None:
        from antiphon.verbs.data import prepare

        how: dict[str, Any] = {"workers": _workers(self.workers), "licence": self.licence, "force": self.force}
        how |= {"as_": self.as_, "quiet": self.quiet}
        print(prepare(self.folder, self.out, one_shots=self.one_shots, pitch=self.pitch, **how))


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


def _flat(groups: tuple[tuple[str, ...], ...]) -> list[str]:
    return [word.strip() for group in groups for words in group for word in words.split(",") if word.strip()]


def _settings(groups: tuple[tuple[str, ...], ...]) -> list[str]:
    """NAME=VALUE one by one; a comma separates two of them only where another NAME= follows."""
    texts = [text for group in groups for words in group for text in re.split(r",(?=[^,=]+=)", words)]
    return [text.strip(" ,") for text in texts if text.strip(" ,")]


def _controls(words: list[str]) -> dict[str, float]:
    """NAME=NUMBER one by one."""
    found = {}
    for word in words:
        name, _, value = word.partition("=")
        try:
            found[name.strip()] = float(value)
        except ValueError:
            raise AntiphonError(f"'{word}' says not how much: write it like register=0.7") from None
    return found


def _whole(word: str) -> int:
    if not word.isdecimal():
        raise AntiphonError(f"'{word}' is not a number of a part: use 1, 2 ...")
    return int(word)


def _audio(names: tuple[Path, ...] | None) -> bool | Path:
    """Whether, or where, to write a sound: the option stands alone or with one name."""
    if names is not None and len(names) > 1:
        raise AntiphonError(f"--audio takes one name, not {len(names)}")
    return names is not None and (names[0] if names else True)


def _workers(asked: int | None) -> int:
    if asked is not None and not 1 <= asked <= 1024:
        raise AntiphonError(f"cannot use {asked} workers: use 1 to 1024")
    return asked or os.cpu_count() or 1
