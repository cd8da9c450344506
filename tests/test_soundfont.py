"""Soundfonts: the tables of a tiny one built here, and rendering it."""

import contextlib
import csv
import struct
from dataclasses import replace

import numpy as np
import pytest

from antiphon.core.errors import AntiphonError
from antiphon.data.labelling import drums
from antiphon.data.labelling.manifest import scan
from antiphon.data.soundfont import render as soundfont
from antiphon.data.soundfont.drums import HITS, render_drums
from antiphon.data.soundfont.fluid import fluidsynth
from antiphon.data.soundfont.render import RenderOptions, alike, notes_of, render
from antiphon.data.soundfont.sf2 import read_presets

RATE = 22050
KEYS, INSTRUMENT, SAMPLE, ROOT, LOOP = 43, 41, 53, 58, 54


def chunk(name, data):
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) & 1)


def span(low, high):
    return low | high << 8


def font(waves, presets):
    """A soundfont. waves: {name: (samples, root key)}; presets: [(name, bank, program, wave, low key, high key)]."""
    names = list(waves)
    pcm, headers = b"", b""
    for name in names:
        samples, root = waves[name]
        start = len(pcm) // 2
        pcm += np.int16(samples * 32000).tobytes() + b"\0" * 92
        end = start + len(samples)
        headers += struct.pack("<20sIIIIIBbHH", name.encode(), start, end, start, end - 1, RATE, root, 0, 0, 1)
    headers += struct.pack("<20sIIIIIBbHH", b"EOS", 0, 0, 0, 0, 0, 0, 0, 0, 0)
    phdr = pbag = pgen = inst = ibag = igen = b""
    for i, (name, bank, program, wave, low, high) in enumerate(presets):
        phdr += struct.pack("<20sHHHIII", name.encode(), program, bank, i, 0, 0, 0)
        pbag += struct.pack("<HH", i, 0)
        pgen += struct.pack("<HH", INSTRUMENT, i)
        inst += struct.pack("<20sH", name.encode(), 2 * i)
        ibag += struct.pack("<HHHH", 4 * i, 0, 4 * i + 1, 0)  # a global zone with the keys, then the sample's zone
        igen += struct.pack(
            "<HHHHHHHH", KEYS, span(low, high), ROOT, waves[wave][1], LOOP, 1, SAMPLE, names.index(wave)
        )
    count = len(presets)
    phdr += struct.pack("<20sHHHIII", b"EOP", 0, 0, count, 0, 0, 0)
    pbag, pgen = pbag + struct.pack("<HH", count, 0), pgen + bytes(4)
    inst += struct.pack("<20sH", b"EOI", 2 * count)
    ibag, igen = ibag + struct.pack("<HH", 4 * count, 0), igen + bytes(4)
    tables = {b"phdr": phdr, b"pbag": pbag, b"pmod": bytes(10), b"pgen": pgen, b"inst": inst, b"ibag": ibag}
    tables |= {b"imod": bytes(10), b"igen": igen, b"shdr": headers}
    info = (
        b"INFO" + chunk(b"ifil", struct.pack("<HH", 2, 1)) + chunk(b"isng", b"EMU8000\0") + chunk(b"INAM", b"tiny\0\0")
    )
    body = chunk(b"LIST", info) + chunk(b"LIST", b"sdta" + chunk(b"smpl", pcm))
    body += chunk(b"LIST", b"pdta" + b"".join(chunk(name, data) for name, data in tables.items()))
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"sfbk" + body


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    period = np.arange(50) / 50  # 441 Hz: key 69
    sine, saw = np.tile(np.sin(2 * np.pi * period), 20), np.tile(2 * period - 1, 20)
    presets = [
        ("Sine", 0, 80, "sine", 40, 90),
        ("Saw", 8, 80, "saw", 0, 127),
        ("Saw Again", 9, 80, "saw", 0, 127),
        ("Kit", 128, 0, "saw", 0, 127),
        ("Hit", 0, 55, "saw", 0, 127),
        ("Few", 0, 81, "saw", 60, 64),
    ]
    path = tmp_path_factory.mktemp("font") / "tiny.sf2"
    path.write_bytes(font({"sine": (0.5 * sine, 69), "saw": (0.5 * saw, 69)}, presets))
    return path


def test_tables(tiny):
    presets = {preset.name: preset for preset in read_presets(tiny)}
    assert list(presets) == ["Kit", "Hit", "Sine", "Saw", "Saw Again", "Few"]
    sine = presets["Sine"]
    assert (sine.bank, sine.program) == (0, 80)
    assert (min(sine.keys), max(sine.keys), len(sine.keys)) == (40, 90, 51)
    (zone,) = sine.zones
    assert (zone.root, zone.sample, zone.coarse) == (69, "sine", 0)


@pytest.mark.parametrize("padding", [b"", b"\0"])
def test_odd_chunks_may_lack_their_padding(tiny, tmp_path, padding):
    """As in MuseScore's .sf3 files."""
    good, path = tiny.read_bytes(), tmp_path / "odd.sf3"
    path.write_bytes(good[:12] + b"LIST" + struct.pack("<I", 5) + b"INFOx" + padding + good[12:])
    assert read_presets(path) == read_presets(tiny)


def test_broken_fonts_are_refused(tiny, tmp_path):
    good = tiny.read_bytes()
    for name, data in {
        "empty": b"", "text": b"hello " * 40, "cut": good[:-500], "head": good[:16],
        "lies": good.replace(struct.pack("<HH", SAMPLE, 1), struct.pack("<HH", SAMPLE, 999)),
    }.items():  # fmt: skip
        path = tmp_path / f"{name}.sf2"
        path.write_bytes(data)
        with pytest.raises(AntiphonError, match=name):
            read_presets(path)
    with pytest.raises(AntiphonError, match="cannot read"):
        read_presets(tmp_path / "missing.sf2")


def test_any_damage_to_the_tables_is_an_error_or_harmless(tiny, tmp_path):
    good = tiny.read_bytes()
    start = good.index(b"pdta")
    draw = np.random.default_rng(0)
    for _ in range(200):
        data = bytearray(good)
        for at in draw.integers(start, len(data), 3):
            data[at] = draw.integers(256)
        (tmp_path / "x.sf2").write_bytes(bytes(data))
        with contextlib.suppress(AntiphonError):
            read_presets(tmp_path / "x.sf2")


def test_alike():
    t = np.arange(20000) / 44100
    a = np.sin(2 * np.pi * 300 * t) * np.exp(-3 * t)
    b = np.sin(2 * np.pi * 410 * t) + 0.5 * np.sin(2 * np.pi * 1230 * t)
    assert alike(a, 0.3 * np.pad(a, (100, 0))) > 0.98
    assert alike(a, b) < 0.9
    assert alike(a, 0 * a) == 0.0


needs_fluidsynth = pytest.mark.skipif("not _has_fluidsynth()")


def _has_fluidsynth():
    try:
        fluidsynth()
    except AntiphonError:
        return False
    return True


@needs_fluidsynth
def test_render(tiny, tmp_path, monkeypatch):
    options = RenderOptions(step=8, hold=(0.1, 0.4), longest=1.0)
    said = []
    summary = render([tiny], tmp_path / "out", options, said.append)
    assert summary.presets == 2  # Saw Again is Saw, Kit is drums, Hit plays chords, Few has too few keys
    assert summary.notes > 10
    assert summary.silent == 0
    assert any("same samples as tiny:8:80:Saw" in line for line in said)
    manifest = scan(tmp_path / "out", track=False, check=True)
    assert len(manifest.rows) == summary.notes
    assert not manifest.refused
    assert {row.instrument for row in manifest.rows} == {"square lead"}
    assert {row.preset for row in manifest.rows} == {"tiny:0:80:Sine", "tiny:8:80:Saw"}
    table = (tmp_path / "out" / "notes.csv").read_text()

    # The same call again renders nothing; a preset that was interrupted is rendered again, the same.
    marks = sorted((tmp_path / "out").glob("tiny/*/notes.csv"))
    before = {p: p.read_bytes() for p in marks[0].parent.glob("*.flac")}
    marks[0].unlink()
    next(iter(before)).unlink()
    render([tiny], tmp_path / "out", options, said.append)
    assert {p: p.read_bytes() for p in before} == before
    assert (tmp_path / "out" / "notes.csv").read_text() == table
    monkeypatch.setattr(soundfont, "render_preset", None)  # nothing is left to do
    render([tiny], tmp_path / "out", options, said.append)
    with pytest.raises(AntiphonError, match="other settings"):
        render([tiny], tmp_path / "out", RenderOptions(), said.append)


class Whistle:
    """A substitute for FluidSynth: every note is the same."""

    def select(self, font, preset):
        self.pitch = preset.program

    def note(self, key, velocity, hold, longest, floor_db=-60.0):
        tone = np.sin(np.arange(4000) * 0.01 * self.pitch).astype(np.float32)
        return np.stack([tone, tone], 1)


def test_a_preset_whose_keys_are_all_passed_over_is_dropped(tiny, monkeypatch):
    (sine,) = [preset for preset in read_presets(tiny) if preset.name == "Sine"]
    (zone,) = sine.zones
    few = (replace(zone, low=45, high=45), replace(zone, low=60, high=60))
    sparse = replace(sine, name="Sparse", program=81, zones=few)
    monkeypatch.setattr(soundfont, "read_presets", lambda font: [sine, sparse])
    met = set()
    for seed in range(12):
        options = RenderOptions(step=12, block_fraction=0, seed=seed)
        jobs, dropped = soundfont.plan(Whistle(), [tiny], options)
        assert all(list(notes_of(job, options)) for job in jobs)
        names = [job.preset.name for job in jobs]
        assert names == ["Sine", "Sparse"] or (names == ["Sine"] and "--step 1" in dict(dropped)["tiny:0:81:Sparse"])
        met.add(len(names))
    assert met == {1, 2}


@pytest.mark.parametrize("making", [render, render_drums])
def test_fonts_of_one_name_would_share_folders(tiny, tmp_path, making):
    (tmp_path / "other").mkdir()
    twin = tmp_path / "other" / "Tiny.sf2"
    twin.write_bytes(tiny.read_bytes())
    with pytest.raises(AntiphonError, match="2 of the soundfonts are named tiny: rename one"):
        making([tiny, twin], tmp_path / "out")
    assert not (tmp_path / "out").exists()


@needs_fluidsynth
def test_notes_start_at_once_and_in_tune(tiny, tmp_path):
    options = RenderOptions(step=12, hold=(0.5, 0.5001), longest=1.0, block_fraction=0, preset_fraction=0)
    render([tiny], tmp_path / "out", options, lambda _: None)
    rows = [row for row in scan(tmp_path / "out", track=False).rows if row.preset.endswith("Sine")]
    from antiphon.audio.files import read_audio

    for row in rows:
        audio = read_audio(row.path)
        assert np.abs(audio[:300]).max() > 0.5 * np.abs(audio).max()
        spectrum = np.abs(np.fft.rfft(audio[:16384] * np.hanning(16384)))
        heard = np.argmax(spectrum) * 44100 / 16384
        assert abs(heard - 440 * 2 ** ((row.pitch - 69) / 12)) < 6


@needs_fluidsynth
def test_the_plan_is_a_function_of_the_seed(tiny):
    from antiphon.data.soundfont.fluid import Fluid

    with Fluid() as fluid:
        options = RenderOptions(block_fraction=1.0, preset_fraction=0.0)
        first, _ = soundfont.plan(fluid, [tiny], options)
        again, _ = soundfont.plan(fluid, [tiny], options)
    assert first == again
    for job in first:
        notes = list(notes_of(job, options))
        assert notes == list(notes_of(job, options))
        held = {note.key for note in notes if note.split == "block"}
        assert held == set(range(job.block, job.block + 12))
        assert {note.key for note in notes if note.split == "extra"} == held
        assert not any(note.key in held for note in notes if note.split not in ("block", "extra"))
        assert len({(note.key, note.velocity) for note in notes}) == len(notes)


@needs_fluidsynth
def test_extra_notes_change_no_other(tiny, tmp_path):
    options = RenderOptions(step=8, hold=(0.1, 0.2), longest=0.5, block_fraction=1, preset_fraction=0, extra=0)
    tables, folders = [], [tmp_path / "plain", tmp_path / "more"]
    for extra, folder in enumerate(folders):
        render([tiny], folder, replace(options, extra=extra), lambda _: None)
        tables.append((folder / "notes.csv").read_text().splitlines())
    assert [line for line in tables[1] if not line.endswith(",extra")] == tables[0]
    assert sum(line.endswith(",extra") for line in tables[1]) > 40
    for line in tables[0][1:]:
        name = line.split(",")[0]
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()


@pytest.mark.skipif("_has_fluidsynth()")
def test_without_fluidsynth_it_says_what_to_install(tiny, tmp_path):
    with pytest.raises(AntiphonError, match="soundfont"):
        render([tiny], tmp_path / "out")


@needs_fluidsynth
def test_drum_kits_become_hits_without_a_pitch(tiny, tmp_path):
    options = replace(HITS, velocities=1, hold=(0.05, 0.05), longest=0.1)
    summary = render_drums([tiny], tmp_path / "out", options, lambda line: None)
    assert 0 < summary.notes == summary.presets
    manifest = scan(tmp_path / "out", one_shots=True)
    assert len(manifest.rows) == summary.notes
    assert not manifest.refused
    assert {row.instrument for row in manifest.rows} <= {stroke.drum for stroke in drums.KEYS.values()}
    assert {row.style for row in manifest.rows} == {("acoustic",)}
    with (tmp_path / "out" / "notes.csv").open() as table:
        assert {row["pitch"] for row in csv.DictReader(table)} == {""}
