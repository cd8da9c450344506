"""Damaged and hostile input, a few hundred cases of each kind: a result or one line, never anything else. The long run,
with limits on time and memory, is benchmarks/fuzz.py; docs/bad-input.md says what is refused and what is repaired."""

from __future__ import annotations

import io
import json
import os
import resource
import signal
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import tone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tunes import SineVoice, band, cc, note, off, on, raw, save

import antiphon
from antiphon.audio.files import read_audio, write_audio, writing_all
from antiphon.core.atomic import all_atomic
from antiphon.core.errors import AntiphonError
from antiphon.data.labelling.manifest import scan
from antiphon.data.prepared import Prepared
from antiphon.data.soundfont.sf2 import read_presets
from antiphon.music.bounce import bounce
from antiphon.music.midi import read_midi
from antiphon.music.player import stream
from antiphon.training.run_folder import read_record

often = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("9" * 5000),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
FLIPS = st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 7)), max_size=12)


def flipped(data: bytes, flips: list[tuple[int, int]], cut: int) -> bytes:
    """Bytes with some bits flipped, half of them in the first hundred, and the end cut off."""
    hurt = bytearray(data)
    for place, bit in flips:
        hurt[place % (100 if place % 2 else len(hurt))] ^= 1 << bit
    return bytes(hurt[: len(hurt) - cut])


def accepted(action) -> bool:
    """Whether it succeeded; otherwise it was refused in one line."""
    try:
        action()
    except AntiphonError as error:
        said = str(error)
    else:
        return True
    assert said
    assert "\n" not in said
    return False


# ---- sounds ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3", "AIFF", "CAF", "AU", "W64", "RF64"])
def test_damaged_sounds(tmp_path, kind):
    file = io.BytesIO()
    soundfile.write(file, tone(60, 0.1), 44100, format=kind)

    @often
    @given(FLIPS, st.integers(0, 300))
    def check(flips, cut):
        (tmp_path / "x.wav").write_bytes(flipped(file.getvalue(), flips, cut))
        accepted(lambda: read_audio(tmp_path / "x.wav"))

    check()


@pytest.mark.parametrize("rate", [1, 10_000_000, 2**31 - 1])
def test_rates_that_no_recording_has(tmp_path, rate):
    soundfile.write(tmp_path / "x.wav", tone(60, 0.1), rate)
    with pytest.raises(AntiphonError, match="sample rate"):
        read_audio(tmp_path / "x.wav")


def test_many_channels(tmp_path):
    wide = np.tile(tone(60, 0.1)[:, None], (1, 64))
    soundfile.write(tmp_path / "64.wav", wide, 44100)
    assert read_audio(tmp_path / "64.wav").shape == (4410,)
    soundfile.write(tmp_path / "65.wav", np.tile(wide[:, :1], (1, 65)), 44100)
    with pytest.raises(AntiphonError, match="65 channels"):
        read_audio(tmp_path / "65.wav")


def test_a_header_cannot_ask_for_memory(tmp_path):
    """A flac header that claims 60 billion samples, and a raw one of 100 GB: only what is there is read."""
    write_audio(tmp_path / "x.flac", tone(60, 0.1))
    data = bytearray((tmp_path / "x.flac").read_bytes())
    data[21:26] = bytes([data[21] | 0x0F, 0xFF, 0xFF, 0xFF, 0xFF])  # 36 bits of STREAMINFO's total
    (tmp_path / "x.flac").write_bytes(data)
    au = struct.pack(">4sLLLLL", b".snd", 24, 0xFFFFFFFF, 3, 44100, 1) + tone(60, 0.1).astype(">i2").tobytes()
    (tmp_path / "x.au").write_bytes(au)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for name in ("x.flac", "x.au"):
        accepted(lambda name=name: read_audio(tmp_path / name))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


def test_absurd_samples(tmp_path):
    soundfile.write(tmp_path / "x.wav", tone(60, 0.1) * 1e20, 44100, subtype="FLOAT")
    with pytest.raises(AntiphonError, match="full scale"):
        read_audio(tmp_path / "x.wav")


# ---- songs -----------------------------------------------------------------------------------------------------------

DELTAS = st.sampled_from([0, 1, 480, 20_000, (1 << 28) - 1])
EVENTS = st.one_of(
    st.builds(on, st.integers(0, 127), DELTAS, st.integers(0, 127), st.integers(0, 15)),
    st.builds(off, st.integers(0, 127), DELTAS, st.integers(0, 15)),
    st.builds(
        cc, st.sampled_from([1, 6, 7, 10, 11, 38, 64, 66, 67, 100, 101, 120, 121, 123]), st.integers(0, 127), DELTAS
    ),
)


@often
@given(
    st.lists(st.lists(EVENTS, max_size=30), min_size=1, max_size=4),
    st.sampled_from([0, 1, 2]),
    st.sampled_from([1, 480]),
)
def test_songs_from_a_grammar(tmp_path_factory, tracks, kind, ticks):
    """Whatever it asks for: never more than five minutes, twenty seconds per note and two for the last one."""
    path = save(
        tmp_path_factory.getbasetemp() / "grammar.mid", *(tracks[:1] if kind == 0 else tracks), kind=kind, ticks=ticks
    )
    heard = []
    if accepted(lambda: heard.append(read_midi(path))):
        (song,) = heard
        notes = sum(len(part.notes) for part in song.parts + song.drums)
        assert song.seconds <= 300 + 20 * notes + 120.001


def test_a_hundred_bytes_do_not_ask_for_hours(tmp_path):
    body = b"\0\xff\x51\x03\xff\xff\xff" + b"\x7f\x90\x3c\x40" * 17
    song = read_midi(raw(tmp_path / "tiny.mid", body[:78], division=1))
    assert (tmp_path / "tiny.mid").stat().st_size <= 100
    assert song.seconds < 300 + 20 * 18 + 120
    assert any("shortened to 60 s" in warning for warning in song.warnings)


def test_an_event_years_later(tmp_path):
    """The rest before it shrinks, and controllers with it; the song before it is untouched."""
    late = [cc(10, 0, 1 << 27), on(72, 1 << 27), off(72, 480)]
    song = read_midi(save(tmp_path / "late.mid", [*note(60), cc(10, 127), *note(64), *late]))
    (part,) = song.parts
    assert [(n.onset, n.seconds) for n in part.notes] == [(0.0, 0.5), (0.5, 0.5), (61.0, 0.5)]
    assert part.pan[1:] == [(0.5, 1.0), (61.0, -1.0)]
    assert song.warnings == (f"the rest at 0:01 is shortened to 60 s in {tmp_path / 'late.mid'}",)


def test_trailing_silence_is_not_played(tmp_path):
    song = read_midi(save(tmp_path / "tail.mid", [*note(60), cc(7, 0, (1 << 28) - 1)]))
    assert song.seconds == 0.5
    assert not song.warnings


def test_an_honest_hour_is_played_as_it_is(tmp_path):
    """Also with rests of a minute, and with long pedals."""
    song = read_midi(
        save(tmp_path / "hour.mid", [m for _ in range(600) for m in [*note(60, 480 * 4), cc(64, 0, 480 * 8)]])
    )
    assert song.seconds == pytest.approx(3600 - 4)
    assert not song.warnings


@pytest.mark.parametrize("body", [b"\0\x90\x3c\x40\0\xb0\x42\x7f\0\x42\0", b"\0\x90\x3c\x40\0\xb0\x40\x7f\0\x80\x3c\0"])
def test_pedals_take_no_time(tmp_path, body):
    """Notes and pedals by the ten thousand: each costs the same as the first."""
    import time

    path = raw(tmp_path / "x.mid", b"\0\x90\x45\x40" + body * 10_000)
    start = time.process_time()
    assert len(read_midi(path).parts[0].notes) == 10_001
    assert time.process_time() - start < 3


def test_too_many_parts(tmp_path):
    with pytest.raises(AntiphonError, match="257 parts"):
        read_midi(raw(tmp_path / "x.mid", *[b"\0\x90\x3c\x40\x60\x80\x3c\0"] * 257))


# ---- tables, records, voices, prepared files, soundfonts -------------------------------------------------------------


FIELDS = ("pitch", "velocity", "instrument_family_str", "instrument_str", "qualities_str")
NAMES = st.sampled_from(["a", "c", "/x", "../y", "\ud800", "z" * 300])


@often
@given(st.dictionaries(NAMES, JSON | st.fixed_dictionaries(dict.fromkeys(FIELDS, JSON)), max_size=3))
def test_any_json_beside_sounds(tmp_path_factory, body):
    folder = tmp_path_factory.mktemp("json")
    soundfile.write(folder / "a.wav", tone(60, 0.1), 44100)
    (folder / "examples.json").write_text(json.dumps(body))
    accepted(lambda: scan(folder, track=False))


CELLS = ["a.wav", "", "inf", "nan", "60", "1e999", "/dev/zero", "../a.wav", "x" * 300, "9" * 5000, "é"]


@often
@given(st.lists(st.sampled_from(CELLS) | st.text(max_size=5), min_size=8, max_size=8))
def test_any_line_of_a_table(tmp_path_factory, cells):
    folder = tmp_path_factory.mktemp("csv")
    soundfile.write(folder / "a.wav", tone(60, 0.1), 44100)
    header = "path,pitch,instrument,preset,style,velocity,seconds,split"
    (folder / "notes.csv").write_text("\n".join([header, "a.wav,60", ",".join(cells)]), "utf-8", "surrogatepass")
    accepted(lambda: scan(folder, track=False, check=True))


def test_tables_that_are_no_files(tmp_path):
    """Pipes and folders named like tables are skipped; nothing waits for a pipe's contents."""
    soundfile.write(tmp_path / "a C4.wav", tone(60, 0.1), 44100)
    os.mkfifo(tmp_path / "x.csv")
    os.mkfifo(tmp_path / "b C4.wav")
    (tmp_path / "y.csv").mkdir()
    (tmp_path / "notes.csv").mkdir()
    assert [row.path.name for row in scan(tmp_path, track=False).rows] == ["a C4.wav"]


@often
@given(st.sampled_from(["source", "content", "request", "recipe", "start_from", "threads", "steps", "minutes"]), JSON)
def test_any_record_of_a_run(run_folder, tmp_path_factory, name, said):
    folder = tmp_path_factory.mktemp("run")
    (folder / "run.json").write_text(json.dumps(json.loads((run_folder / "run.json").read_text()) | {name: said}))
    accepted(lambda: read_record(folder))


def test_json_too_deep(tmp_path, prepared):
    (tmp_path / "run.json").write_text("[" * 200_000)
    assert not accepted(lambda: read_record(tmp_path))
    deep = b'{"a":' * 100_000
    (tmp_path / "p.safetensors").write_bytes(len(deep).to_bytes(8, "little") + deep)
    assert not accepted(lambda: Prepared(tmp_path / "p.safetensors"))


@often
@given(st.sampled_from(["pitch", "audio", "start", "style"]), st.sampled_from(["shape", "data_offsets", "dtype"]), JSON)
def test_any_table_of_a_prepared_file(prepared, tmp_path_factory, table, name, said):
    data = prepared.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    header[table][name] = said
    raw_header = json.dumps(header).encode()
    path = tmp_path_factory.getbasetemp() / "lying.safetensors"
    path.write_bytes(len(raw_header).to_bytes(8, "little") + raw_header + data[8 + length :])
    accepted(lambda: Prepared(path))


def test_a_soundfont_that_asks_for_billions(tmp_path):
    """A preset of 3,000 zones, each of the same instrument of 3,000."""

    def table(kind: str, rows: list[bytes]) -> bytes:
        return struct.pack("<4sI", kind.encode(), sum(map(len, rows))) + b"".join(rows)

    n, name = 3000, b"x".ljust(20, b"\0")
    heads = [struct.pack("<20sHHHIII", name, 0, 0, bag, 0, 0, 0) for bag in (0, n)]
    bags, instruments = [struct.pack("<HH", i, 0) for i in range(n + 1)], [name + struct.pack("<H", i) for i in (0, n)]
    tables = {"phdr": heads, "pbag": bags, "pgen": [struct.pack("<HH", 41, 0)] * (n + 1), "inst": instruments,
              "ibag": bags, "igen": [struct.pack("<HH", 53, 0)] * (n + 1), "shdr": [name + b"\0" * 26]}  # fmt: skip
    body = b"pdta" + b"".join(table(kind, rows) for kind, rows in tables.items())
    body = b"sfbk" + struct.pack("<4sI", b"LIST", len(body)) + body
    (tmp_path / "x.sf2").write_bytes(struct.pack("<4sI", b"RIFF", len(body)) + body)
    with pytest.raises(AntiphonError, match="asks for too much"):
        read_presets(tmp_path / "x.sf2")


# ---- places ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def full_disk():
    """A function that limits the size of files."""
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    yield lambda limit: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    signal.signal(signal.SIGXFSZ, before)


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff"])
def test_a_full_disk(tmp_path, full_disk, suffix):
    """Compressed formats do not report a disk that fills up while they close: their end would be missing."""
    size = write_audio(tmp_path / f"whole{suffix}", tone(60)).stat().st_size
    for share in (0, 0.01, 0.5, 0.9, 0.999):
        full_disk(int(size * share))
        with pytest.raises(AntiphonError, match=f"cannot write .*a{suffix}: File too large"):
            write_audio(tmp_path / f"a{suffix}", tone(60))
    assert [path.name for path in tmp_path.iterdir()] == [f"whole{suffix}"]


def test_all_files_or_none(tmp_path, full_disk):
    """A short file fits, a long one does not: neither appears, and what was there stays."""
    (tmp_path / "a.ogg").write_bytes(b"mine")
    full_disk(20_000)
    paths = [tmp_path / "a.ogg", tmp_path / "b.flac"]

    def write() -> None:
        with writing_all(paths, 1, force=True) as (short, long):
            short(tone(60, 0.05))
            long(tone(60, 2.0))

    assert not accepted(write)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a.ogg", b"mine")]


def test_nothing_is_left_after_an_error(tmp_path):
    def write() -> None:
        with all_atomic([tmp_path / "a", tmp_path / "b"]) as drafts:
            for draft in drafts:
                draft.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert list(tmp_path.iterdir()) == []


def test_stems_that_exist_are_seen_before_any_work(tmp_path):
    song = read_midi(save(tmp_path / "a.mid", [*note()]))
    (tmp_path / "a-01-01.wav").write_bytes(b"mine")
    voice = SineVoice()
    with pytest.raises(AntiphonError, match="exists"):
        bounce(stream(band(song), voice, stems=True), tmp_path / "a.wav", 44100)
    assert voice.asked == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a-01-01.wav", "a.mid"]


def test_the_longest_names(tmp_path):
    song = read_midi(save(tmp_path / "a.mid", [*note()]))
    out = tmp_path / ("鼓" * 80 + ".wav")  # 244 bytes
    bounce(stream(band(song), SineVoice(), stems=True), out, 44100)
    assert out.is_file()
    assert len(list(tmp_path.glob("*-01-01.wav"))) == 1
    with pytest.raises(AntiphonError, match="too long"):
        write_audio(tmp_path / ("x" * 252 + ".wav"), tone(60))


def odd_places(folder: Path) -> list[Path]:
    os.mkfifo(folder / "pipe.wav")
    (folder / "folder.wav").mkdir()
    for name, to in (("loop.wav", "loop.wav"), ("dangling.wav", "nowhere"), ("device.wav", "/dev/zero")):
        (folder / name).symlink_to(to)
    (folder / "file").write_bytes(b"")
    return [*folder.glob("*.wav"), folder / "file" / "x.wav", folder / ("x" * 300 + ".wav"), folder / "a\0b.wav"]


def test_places_that_are_no_files(tmp_path):
    for path in odd_places(tmp_path):
        for read in (read_audio, read_midi, read_presets, Prepared, antiphon.load):
            assert not accepted(lambda path=path, read=read: read(path))
        assert not accepted(lambda path=path: write_audio(path, tone(60), force=True))


@pytest.mark.parametrize(
    "odd", ["²", "9" * 5000, "x" * 20_000, "harp," * 500 + "harp", "harp>violin@0-1>" * 99 + "harp", "\x1b[31m"]
)
def test_odd_words_on_the_command_line(antiphon_line, run_folder, tmp_path, odd):
    for option in ("--instrument", "--pitch", "--style"):
        said = antiphon_line(
            "generate", run_folder, "-o", tmp_path / "s", "-n", 1, "--seconds", 0.05, f"{option}={odd}"
        )
        assert said.status == 2
        assert len(said.err) == 1
        assert len(said.err[0]) < 1200
        assert said.err[0].isprintable()
    assert not (tmp_path / "s").exists()
