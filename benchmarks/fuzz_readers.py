"""Cases for readers of files: sounds, songs, tables, settings, voices, prepared files, states, soundfonts."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from fuzz_box import Box, called, tone, typed
from fuzz_damage import ODD_FLOATS, as_json, chunked, damaged, lying_safetensors, mutated, number, pick, text, value

# ---- sounds ----------------------------------------------------------------------------------------------------------


def sounds(box: Box) -> dict[str, Any]:
    """A sound file, damaged or odd, read as every verb reads it."""
    from antiphon.audio.files import read_audio
    from antiphon.data.analysis.recording import one_note
    from antiphon.data.prepare import measure

    rng = box.rng
    path = box.file(*(_damaged_sound(box) if rng.random() < 0.7 else _odd_sound(box)))
    match int(rng.integers(6)):
        case 0 | 1:
            return called(lambda: read_audio(path))
        case 2:
            return called(lambda: read_audio(path, mono=False, max_seconds=20))
        case 3:
            return called(lambda: one_note(read_audio(path, max_seconds=20), path.name, hint=60.0))
        case 4:
            return called(lambda: _measured(measure, read_audio(path, max_seconds=20)))
    return typed("data", "inspect", path.parent)


def _measured(measure: Callable[..., Any], audio: np.ndarray) -> Any:
    try:
        return measure(audio, 60.0)
    except ValueError as error:  # how a note's refusal is reported
        from antiphon.core.errors import AntiphonError

        raise AntiphonError(str(error)) from None


def _damaged_sound(box: Box) -> tuple[str, bytes]:
    kind = pick(box.rng, list(box.material.sounds))
    box.kind = kind
    return f"sounds/a C4.{kind.split('-')[0]}", damaged(box.rng, box.material.sounds[kind])


def _odd_sound(box: Box) -> tuple[str, bytes]:
    """Sample rates, channels, lengths and values that no recording has."""
    import soundfile

    rng = box.rng
    rate = int(pick(rng, [1, 2, 100, 1000, 8000, 22050, 44100, 192000, 1_000_000, 10_000_000, 2**31 - 1]))
    channels = int(pick(rng, [1, 1, 1, 2, 2, 8, 64, 65, 500]))
    samples = int(pick(rng, [0, 1, 2, 10, 100, 1000, 9000]))
    kind = pick(rng, ["noise", "silence", "dc", "nan", "inf", "huge", "tiny", "click", "tone"])
    audio = {"noise": rng.standard_normal(samples), "dc": np.ones(samples), "tone": tone(60, 0.3)}.get(kind)
    audio = np.zeros(samples) if audio is None else audio.copy()
    if len(audio) and kind in ("nan", "inf", "click"):
        audio[int(rng.integers(len(audio)))] = {"nan": np.nan, "inf": np.inf, "click": 1.0}[kind]
    audio = audio + {"huge": 1e30, "tiny": 1e-30}.get(kind, 0.0)
    file = io.BytesIO()
    wide = np.tile(audio[:, None], (1, channels)).astype(np.float32)
    box.kind = f"{kind} {samples} x {channels} at {rate}"
    suffix, subtype = pick(rng, [("wav", "FLOAT"), ("caf", "FLOAT"), ("au", "FLOAT"), ("wav", "PCM_16")])
    try:
        soundfile.write(file, wide, rate, format=suffix.upper(), subtype=subtype)
    except (soundfile.SoundFileError, RuntimeError):
        return "sounds/none.wav", b""
    return f"sounds/a C4.{suffix}", file.getvalue()


# ---- songs -----------------------------------------------------------------------------------------------------------


def songs(box: Box) -> dict[str, Any]:
    """A MIDI file: damaged, generated from a grammar, tiny or designed to be slow; played if short enough."""
    from antiphon.music.lengths import ANY_SONG, EACH_NOTE, MAX_HOLD, MAX_SECONDS
    from antiphon.music.midi import read_midi

    rng = box.rng
    box.kind, data = _song(rng, box.material.song)
    path = box.file(f"{pick(rng, ['song', 'sông 🎵', 'a b'])}.mid", data)
    heard: list[Any] = []
    outcome = called(lambda: heard.append(read_midi(path)), lambda _: bool(heard[0].warnings))
    if not heard:
        return outcome
    (song,) = heard
    notes = [note for part in song.parts + song.drums for note in part.notes]
    longest = min(MAX_SECONDS, ANY_SONG + EACH_NOTE * len(notes) + MAX_HOLD)
    if song.seconds > longest + 1:
        return {"outcome": "defect", "what": f"{len(notes)} notes last {song.seconds:.0f} s"}
    if song.seconds < 8 and sum(note.seconds + 1 for note in notes) < 40:
        line = ["play", path, "-o", box.out / "song.wav", "--voice", box.material.voice]
        more = pick(
            rng, [[], ["--stems"], ["--layers"], ["--room", "0.5"], ["--instrument", "harp"], ["--map", "1=harp"]]
        )
        return typed(*line, *more)
    return outcome


def _song(rng: np.random.Generator, song: bytes) -> tuple[str, bytes]:
    chance = rng.random()
    if chance < 0.35:
        return "damaged", damaged(rng, song)
    if chance < 0.42:
        return "short damaged", damaged(
            rng, chunked(b"".join(b"\0\x90%c\x60\x60\x80%c\0" % (n, n) for n in range(60, 66)))
        )
    if chance < 0.55:
        return "a hundred bytes", _tiny(rng)
    if chance < 0.56:
        return _slow(rng)
    tracks = [_track(rng) for _ in range(int(rng.integers(1, pick(rng, [2, 4, 40]))))]
    division = pick(rng, [480, 480, 96, 1, 0, 0x7FFF, 0xE728, 0xE200, 0x8001, 0xFFFF])
    return "grammar", chunked(*tracks, kind=pick(rng, [0, 1, 1, 2, 3, 65535]), division=division)


def _tiny(rng: np.random.Generator) -> bytes:
    """At most 100 bytes that ask for as much sound as they can."""
    body = b"\0\xff\x51\x03" + pick(rng, [b"\xff\xff\xff", b"\0\0\0", b"\0\0\1", b"\x07\xa1\x20"])
    while len(body) < 66:
        body += number(pick(rng, [127, 16383, 2097151, 2**28 - 1])) + pick(rng, [b"\x90", b"\x80"]) + bytes([60, 64])
    return chunked(body, kind=pick(rng, [0, 1, 2]), division=pick(rng, [1, 480, 0xE201]))[:100]


def _slow(rng: np.random.Generator) -> tuple[str, bytes]:
    """As large as allowed, with only one kind of event."""
    kind = pick(rng, ["notes", "pedals", "bends", "tracks", "programs", "patterns", "cuts", "unison"])
    size = (4 << 20) - 64
    pattern = {
        "notes": b"\0\x90\x3c\x40", "bends": b"\1\xe0\x00%c", "cuts": b"\1\xb0\x78\0",
        "pedals": b"\0\x90\x3c\x40\0\xb0\x42\x7f\0\x40\0\0\x80\x3c\0\0\xb0\x42\0\0\x40\x7f",
        "programs": b"\0\xc0%c\0\x90\x3c\x40", "unison": b"\0\x90\x3c\x40\0\xb0\x42\x7f\0\x42\0",
    }.get(kind)  # fmt: skip
    if pattern is None:
        one = b"\0\x90\x3c\x40\x40\x80\x3c\0" if rng.random() < 0.5 else b""
        return f"4 MB of {kind}", chunked(*[one] * (size // (8 + len(one))), kind=2 if kind == "patterns" else 1)
    pieces = [pattern % (n & 127) if b"%c" in pattern else pattern for n in range(128)]
    return f"4 MB of {kind}", chunked(
        b"\0\x90\x45\x40" + (b"".join(pieces) * (size // 128 // len(pattern)))[: size - 32]
    )


def _track(rng: np.random.Generator) -> bytes:
    """Events that are each valid."""
    body = b""
    for _ in range(int(rng.integers(0, 40))):
        body += number(int(pick(rng, [0, 0, 1, 60, 120, 480, 4000, 2**20, 2**28 - 1])))
        channel, one, two = int(rng.integers(16)), int(rng.integers(128)), int(rng.integers(128))
        match int(rng.integers(12)):
            case 0 | 1 | 2 | 3:
                body += bytes([0x90 | channel % 3, one, two])
            case 4 | 5:
                body += bytes([0x80 | channel % 3, one, two])
            case 6:
                body += bytes(
                    [0xB0 | channel, int(pick(rng, [1, 6, 7, 10, 11, 38, 64, 66, 67, 100, 101, 120, 121, 123])), two]
                )
            case 7:
                body += bytes([0xE0 | channel, one, two])
            case 8:
                body += bytes([0xC0 | channel, one])
            case 9:
                body += b"\xff\x51\x03" + rng.bytes(3)
            case 10:
                body += bytes([0xFF, one]) + number(two % 8) + rng.bytes(two % 8)
            case 11:
                body += pick(
                    rng, [b"\xf0\x03abc", b"\xf7\x01a", b"\xf1\x00", b"\xfe", rng.bytes(3), b"\xff\x03\x04\x1b[2J"]
                )
    return body + pick(rng, [b"\0\xff\x2f\0", b"", number(2**28 - 1) + b"\xff\x2f\0"])


# ---- tables ----------------------------------------------------------------------------------------------------------


def tables(box: Box) -> dict[str, Any]:
    """notes.csv or examples.json beside a few sounds; scanned, inspected or prepared."""
    from antiphon.data.labelling.manifest import scan

    rng, folder = box.rng, box.folder / "notes"
    for name in ("a.wav", "b C4.wav", "audio/c.wav"):
        box.file(f"notes/{name}", box.material.sounds["wav-PCM_16"])
    if rng.random() < 0.5:
        box.kind = "examples.json"
        entry = {"pitch": 60, "velocity": 100, "instrument_family_str": "harp", "qualities_str": ["bright"]}
        body: Any = {"a": entry, "c": entry}
        for _ in range(int(rng.integers(1, 5))):
            body = mutated(rng, body)
        box.file("notes/examples.json", as_json(rng, body))
    else:
        box.kind = "notes.csv"
        box.file("notes/notes.csv", _table(rng))
    match int(rng.integers(8)):
        case 0:
            return typed("data", "inspect", folder)
        case 1:
            return typed("data", "prepare", folder, "-o", box.out / "notes.safetensors", "--workers", 1)
    return called(lambda: scan(folder, track=False, check=bool(rng.integers(2))), lambda found: bool(found.refused))


def _table(rng: np.random.Generator) -> str | bytes:
    columns = ["path", "pitch", "instrument", "preset", "style", "velocity", "seconds", "split"]
    rows = [
        ["a.wav", "60", "harp", "harp", "plucked;bright", "90", "0.2", "train"],
        ["b C4.wav", "", "", "", "", "", "", ""],
    ]
    for _ in range(int(rng.integers(0, 6))):
        row = pick(rng, rows)
        row[int(rng.integers(len(row)))] = text(rng)
    if rng.random() < 0.2:
        columns[int(rng.integers(8))] = text(rng)
    if rng.random() < 0.1:
        rows += [[text(rng)] * int(rng.integers(20))]
    quoted = [",".join(f'"{cell}"' if rng.random() < 0.5 else cell for cell in row) for row in [columns, *rows]]
    said = "\n".join(quoted)
    return damaged(rng, said.encode("utf-8", "replace")) if rng.random() < 0.3 else said


# ---- settings --------------------------------------------------------------------------------------------------------


def settings(box: Box) -> dict[str, Any]:
    """--set, or a run's record."""
    rng = box.rng
    if rng.random() < 0.5:
        from antiphon.recipes.lookup import recipe_of
        from antiphon.recipes.override import parse_settings

        names = [name for name in box.material.record["recipe"] if name != "recipe"]
        box.kind = "--set"
        words = [
            f"{pick(rng, names) if rng.random() < 0.8 else text(rng)}={_odd(rng)}"
            for _ in range(int(rng.integers(1, 4)))
        ]
        return called(lambda: recipe_of("instrument", parse_settings(words)))
    box.kind = "run.json"
    record = box.material.record
    for _ in range(int(rng.integers(1, 4))):
        record = mutated(rng, record)
    folder = box.file("run/run.json", as_json(rng, record)).parent
    return called(lambda: _opened(folder))


def _odd(rng: np.random.Generator) -> str:
    return str(pick(rng, [value(rng), text(rng), *ODD_FLOATS, "1", "0.5", "hinge"])).strip() or "0"


def _opened(folder: Path) -> Any:
    """A record, as far as `antiphon train` goes with it before it needs sounds."""
    from antiphon.recipes.lookup import recipe_of
    from antiphon.training.run_folder import read_record
    from antiphon.verbs.helpers import share

    record = read_record(folder)
    if record is None:
        return None
    recipe, _ = share(recipe_of(record.request.recipe, record.recipe), record.threads)
    return recipe, max(record.threads, 1), max(record.steps or 0, record.minutes or 0.0)


# ---- safetensors -----------------------------------------------------------------------------------------------------


def voices(box: Box) -> dict[str, Any]:
    """A voice with false claims: shown, loaded, or played if it loads."""
    import antiphon

    path = box.file("voice.safetensors", lying_safetensors(box.rng, box.material.weights))
    match int(box.rng.integers(4)):
        case 0:
            return typed("info", path, *pick(box.rng, [[], ["--json"]]))
        case 1:
            return typed("generate", path, "-o", box.out / "sounds", "-n", 1, "--seconds", "0.1")
    return called(lambda: antiphon.load(path).note(60, seconds=0.05))


def prepared(box: Box) -> dict[str, Any]:
    """A prepared file with false claims, read to its end if it opens."""
    path = box.file("notes.safetensors", lying_safetensors(box.rng, box.material.prepared))
    return called(lambda: _read_through(path))


def _read_through(path: Path) -> None:
    from antiphon.data.prepared import Prepared
    from antiphon.recipes.sounds import describe

    data = Prepared(path)
    for i in range(min(len(data), 50)):
        data.audio(i)
        data.f0_cents(i)
    describe(data, "x")


def states(box: Box) -> dict[str, Any]:
    """A run's state with false claims."""
    from antiphon.voices.checkpoint import read_metadata, read_tensors

    path = box.file("state.safetensors", lying_safetensors(box.rng, box.material.state))
    return called(lambda: (read_metadata(path), read_tensors(path)))


# ---- soundfonts ------------------------------------------------------------------------------------------------------


_PRESETS = (("Harp", 46, 0), ("Lute", 25, 1), ("EOP", 0, 2))


def small_font(zones: int = 6) -> bytes:
    """The tables of a font of two presets and no samples."""
    name = lambda text: text.encode().ljust(20, b"\0")  # noqa: E731
    pgen = [struct.pack("<HH", 43, 127 << 8), struct.pack("<HH", 41, 0)] * 2 + [b"\0" * 4]
    tables = {
        "phdr": [struct.pack("<20sHHHIII", name(n), p, 0, bag, 0, 0, 0) for n, p, bag in _PRESETS],
        "pbag": [struct.pack("<HH", 2 * i, 0) for i in range(3)], "pmod": [b"\0" * 10], "pgen": pgen,
        "inst": [struct.pack("<20sH", name("I"), 0), struct.pack("<20sH", name("EOI"), zones)],
        "ibag": [struct.pack("<HH", i, 0) for i in range(zones + 1)], "imod": [b"\0" * 10],
        "igen": [struct.pack("<HH", 53, 0)] * (zones + 1), "shdr": [name("S") + b"\0" * 26] * 2,
    }  # fmt: skip
    pdta = b"pdta" + b"".join(
        struct.pack("<4sI", k.encode(), sum(map(len, rows))) + b"".join(rows) for k, rows in tables.items()
    )
    body = b"sfbk" + struct.pack("<4sI", b"LIST", len(pdta)) + pdta
    return struct.pack("<4sI", b"RIFF", len(body)) + body


def fonts(box: Box) -> dict[str, Any]:
    """A damaged soundfont, or one whose few bytes ask for billions of zones."""
    from antiphon.data.soundfont.sf2 import read_presets

    rng = box.rng
    if rng.random() < 0.04:
        box.kind, data = "many zones", _greedy()
    else:
        box.kind, data = "damaged", damaged(rng, box.material.font)
    path = box.file("font.sf2", data)
    if rng.random() < 0.1:
        return typed("data", "render", path, "-o", box.folder / "rendered" / "x")
    return called(lambda: [preset.keys for preset in read_presets(path)])


def _greedy() -> bytes:
    """30,000 zones of a preset, each of an instrument of 60,000."""
    font, n = small_font(60_000), 30_000
    at = font.index(b"phdr")
    name = lambda text: text.encode().ljust(20, b"\0")  # noqa: E731
    heads = [struct.pack("<20sHHHIII", name("x"), 0, 0, bag, 0, 0, 0) for bag in (0, n)]
    bags = [struct.pack("<HH", i, 0) for i in range(n + 1)]
    new = b""
    for kind, rows in (
        ("phdr", heads),
        ("pbag", bags),
        ("pmod", [b"\0" * 10]),
        ("pgen", [struct.pack("<HH", 41, 0)] * (n + 1)),
    ):
        new += struct.pack("<4sI", kind.encode(), sum(map(len, rows))) + b"".join(rows)
    pdta = b"pdta" + new + font[font.index(b"inst", at) :]
    body = b"sfbk" + struct.pack("<4sI", b"LIST", len(pdta)) + pdta
    return struct.pack("<4sI", b"RIFF", len(body)) + body


FAMILIES = {  # name: (share of the cases, how to run one)
    "sounds": (24, sounds), "songs": (22, songs), "tables": (12, tables), "settings": (8, settings),
    "voices": (6, voices), "prepared files": (6, prepared), "states": (3, states), "soundfonts": (5, fonts),
}  # fmt: skip
