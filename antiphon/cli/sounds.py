"""Verbs that make sounds: notes, songs, morphs, places, repaired recordings; and the one that plays live.

Heavy modules are imported when a verb runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import FlagCreatePairsOff, Positional, arg

from antiphon.cli.options import (
    AS_USUAL,
    PLAIN_FORM,
    File,
    Flag,
    OnlyForm,
    Spoken,
    Words,
    flat,
    opt,
)
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
        how["control"] = parse_controls(flat(self.control))
        how |= {"only": flat(self.only), "mute": flat(self.mute), "width": self.width}
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

        how: dict[str, Any] = {"instrument": self.instrument, "style": flat(self.style), "room": self.room}
        how |= self.file.form() | {"quiet": self.quiet} | {"pitch": self.pitch or None}
        how |= {"velocity": self.velocity, "seconds": self.seconds, "seed": self.seed, "force": self.force}
        how |= {"variation": self.variation, "control": parse_controls(flat(self.control))}
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
        how["control"] = parse_controls(flat(self.control))
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
        how |= {"control": parse_controls(flat(self.control))} if self.control else {}
        how |= {"sound": self.sound, "like": self.like, "script": self.script, "loop": self.loop, "lufs": self.lufs}
        how |= {"seconds": self.seconds, "minutes": self.minutes, "force": self.force, "quiet": self.quiet}
        print(scene(self.out, self.voice, **how, **self.file.form()))


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
