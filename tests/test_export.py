"""Sampler packs: what is sampled, loops that nobody hears, and each format by its own rules and by other players."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as xml

import numpy as np
import pytest
from conftest import RATE, tone

import antiphon
from antiphon.audio.files import read_audio, write_audio
from antiphon.audio.loops import fall_time, find_loop
from antiphon.core.errors import AntiphonError
from antiphon.data.labelling.drums import CHOKED, KEYS
from antiphon.data.labelling.manifest import scan
from antiphon.data.soundfont.fluid import Fluid, fluidsynth
from antiphon.data.soundfont.sf2 import read_presets
from antiphon.networks.model import LabelTable
from antiphon.verbs import export as verb
from antiphon.verbs.exporters.pack import Pack, exporters, file_stem
from antiphon.verbs.exporters.plan import Grid, kit_keys, spread

SMALL = {"keys": 12, "velocities": 2, "takes": 2, "seconds": 0.6}
FORMATS = ["sfz", "decentsampler", "multisample", "sf2", "wav"]
ORDER = ["lokey", "hikey", "pitch_keycenter", "lovel", "hivel"]


@pytest.fixture(scope="module")
def pack(voice) -> Pack:
    return verb.from_voice(voice, **SMALL)


@pytest.fixture(scope="module")
def written(voice, tmp_path_factory) -> dict[str, Path]:
    """The same pack in every format."""
    folder = tmp_path_factory.mktemp("packs")
    return {name: antiphon.export(voice, folder / name, format=name, quiet=True, **SMALL) for name in FORMATS}


def zones_of(pack: Pack):
    return [zone for instrument in pack.instruments for zone in instrument.zones]


# ---- loops -----------------------------------------------------------------------------------------------------------


def held(pitch: float, seconds: float = 1.2, vibrato: float = 0.0, decay: float = 0.0, noise: float = 0.0):
    """A note of four harmonics that is let go at `seconds`, (samples,). vibrato: cents; decay: dB a second."""
    t = np.arange(round((seconds + 0.3) * RATE)) / RATE
    cents = vibrato * np.sin(2 * np.pi * 5 * t)
    phase = 2 * np.pi * np.cumsum(440 * 2 ** ((pitch - 69) / 12 + cents / 1200)) / RATE
    sound = sum(np.sin(k * phase) / k for k in range(1, 5)) * 10 ** (-decay * t / 20)
    sound += noise * np.random.default_rng(0).standard_normal(len(t))
    return (0.2 * sound * np.minimum(t / 0.01, 1) * 10 ** (-60 * np.maximum(t - seconds, 0) / 20 / 0.2)).astype("f4")


def roughest(sound: np.ndarray) -> float:
    return float(np.abs(np.diff(sound.astype(np.float64), 2)).max())


@pytest.mark.parametrize(("pitch", "how"), [(45, {}), (60.3, {}), (69, {"vibrato": 20}), (76, {"noise": 0.01})])
def test_a_held_note_goes_on_without_a_click(pitch, how):
    sound, hold = held(pitch, **how), round(1.2 * RATE)
    found = find_loop(sound, hold)
    assert found is not None
    assert 0 < found.start < found.end <= hold
    assert found.end - found.start > 0.2 * RATE
    away = np.abs(np.arange(len(sound)) - found.end) > 0.1 * RATE
    np.testing.assert_array_equal(found.sound[away], sound[away])  # nothing else was changed
    once = found.sound[found.start : found.end]
    forever = np.concatenate([found.sound[: found.end], once, once, once])
    assert roughest(forever[found.end - 300 : found.end + 300]) <= 1.06 * roughest(sound[found.start : hold - 10])
    level = [np.sqrt(np.mean(forever[i : i + 4096] ** 2)) for i in range(found.start, len(forever) - 4096, 1024)]
    assert max(level) / min(level) < 1.06
    assert roughest(found.sound[found.end - 5000 : hold]) <= 1.06 * roughest(sound[found.start : hold])  # let go


def test_what_dies_away_has_no_loop():
    assert find_loop(held(36, seconds=2.0, decay=3), 2 * RATE) is None  # slowly: over a short loop it would seem steady
    assert find_loop(held(60, decay=12), round(1.2 * RATE)) is None
    assert find_loop(held(60, seconds=0.2), round(0.2 * RATE)) is None  # too short
    assert find_loop(held(60)[: RATE // 2], round(1.2 * RATE)) is None  # over before


def test_a_join_that_would_be_heard_is_none():
    """Two notes after each other never agree."""
    sound = np.concatenate([held(60, 0.5)[: RATE // 2], 0.9 * held(66, 1.0)])
    found = find_loop(sound, len(sound) - round(0.3 * RATE))
    assert found is None or found.start > RATE // 2


def test_how_fast_a_note_falls_is_measured():
    hold = round(1.2 * RATE)
    assert fall_time(held(60), hold) == pytest.approx(0.2, abs=0.05)
    assert fall_time(held(60)[: hold // 2], hold) == pytest.approx(0.6, abs=0.01)


# ---- what is sampled -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("low", "high", "step"), [(36, 84, 3), (60, 60, 3), (55, 79, 12), (20.4, 108, 1), (0, 127, 127)]
)
def test_every_key_has_one_zone(low, high, step):
    zones = spread(low, high, step)
    assert [key for a, _, b in zones for key in range(a, b + 1)] == list(range(128))
    roots = [root for _, root, _ in zones]
    assert all(a <= root <= b for a, root, b in zones)
    assert all(low - 0.5 <= root <= high + 0.5 for root in roots)
    assert all(b - a <= step + 0.5 for a, b in pairwise(roots))


@pytest.mark.parametrize("count", [1, 2, 3, 7, 16])
def test_every_velocity_has_one_layer(count):
    layers = Grid(velocities=count).layers
    assert [v for low, high, _ in layers for v in range(low, high + 1)] == list(range(1, 128))
    assert all(low <= played <= high for low, high, played in layers)


def test_every_key_and_velocity_has_each_take_once(pack):
    for instrument in pack.instruments:
        for key, velocity in ((0, 1), (61, 63), (61, 64), (127, 127)):
            hit = [z for z in instrument.zones if z.low <= key <= z.high and z.softest <= velocity <= z.hardest]
            assert [zone.turn for zone in hit] == [1, 2]
            assert {zone.turns for zone in hit} == {2}
        assert len({zone.sample.name for zone in instrument.zones}) == len(instrument.zones)


def test_each_sample_is_the_note_of_the_voice(voice, pack):
    loudest = max(np.abs(zone.sample.sound).max() for zone in zones_of(pack))
    assert loudest == pytest.approx(0.89, abs=1e-3)
    gains = []
    for zone in zones_of(pack):
        note, sample = zone.sample.note, zone.sample
        assert note.pitch == zone.root
        assert zone.softest <= note.velocity <= zone.hardest
        alone = voice.note(note.pitch, instrument=note.instrument, velocity=note.velocity, seconds=0.6, take=note.take)
        assert len(alone) == len(sample.sound)
        same = np.ones(len(alone), bool)
        if sample.loop:
            same[sample.loop[1] - 4410 : sample.loop[1] + 4410] = False
        gains.append(float(sample.sound[same] @ alone[same] / (alone[same] @ alone[same])))
        np.testing.assert_allclose(sample.sound[same], gains[-1] * alone[same], atol=1e-3 * np.abs(sample.sound).max())
    assert max(gains) / min(gains) < 1.001  # one gain for the pack


def test_what_has_no_loop_is_held_for_longer(voice):
    few = {"instrument": "harp", "keys": 48, "velocities": 1, "takes": 1}
    (looped,) = {zone.sample.note.seconds for zone in zones_of(verb.from_voice(voice, loop="no", **few))}
    assert looped == verb.UNLOOPED
    for zone in zones_of(verb.from_voice(voice, **few)):
        sample = zone.sample
        if len(sample.sound) > sample.hold + verb.FADING:
            assert sample.note.seconds == (verb.HELD if sample.loop else verb.UNLOOPED)


def test_blends_are_exported_too(voice):
    made = verb.from_voice(
        voice, instrument=["violin:0.6,harp:0.4", "harp"], keys=40, velocities=1, takes=1, seconds=0.2
    )
    assert [i.stem for i in made.instruments] == ["violin-0-6-harp-0-4", "harp"]
    assert made.instruments[1].program == 46
    assert len({i.program for i in made.instruments}) == 2


def test_drums_lie_on_their_general_midi_keys():
    known = ["kick", "snare", "closed hat", "open hat", "my drum"]
    keys = kit_keys(known, everything=True)
    assert keys[36] == KEYS[36]
    assert keys[38].drum == "snare"
    assert [stroke.drum for stroke in keys.values()].count("my drum") == 1
    assert "my drum" not in [keys[key].drum for key in KEYS if key in keys]
    assert list(kit_keys(["mine", "yours"], everything=True)) == [36, 37]
    assert set(kit_keys(["kick"], everything=False)) == {key for key, s in KEYS.items() if s.drum == "kick"}


def test_a_kit_keeps_its_balance_and_rings():
    made = verb.from_voice("kit", instrument=["kick", "closed hat", "open hat"], velocities=1, takes=1, seconds=0.1)
    (kit,) = made.instruments
    assert (kit.bank, kit.rings) == (128, True)
    player = antiphon.load("kit")
    gains = []
    for zone in kit.zones:
        alone = player.note(zone.sample.note.pitch, instrument=zone.sample.note.instrument,
                            velocity=zone.sample.note.velocity, seconds=0.1)  # fmt: skip
        loudness = 20 * np.log10(np.abs(zone.sample.sound).max() / np.abs(alone).max())
        gains.append(loudness - KEYS[zone.low].level)
        assert (zone.choke > 0) == any(zone.low in keys for keys in CHOKED)
    assert max(gains) - min(gains) < 0.1


# ---- formats ---------------------------------------------------------------------------------------------------------


def test_every_format_is_a_file_here():
    assert sorted(exporters()) == sorted(FORMATS)


@pytest.mark.parametrize("name", FORMATS)
def test_a_pack_says_what_it_is_and_is_the_same_bytes_again(voice, written, tmp_path, name):
    cover = (written[name] / "README.txt").read_text()
    for said in ("CC0", "Licence", "Seed: 0", f"--format {name}", "harp", "violin"):
        assert said in cover
    again = antiphon.export(voice, tmp_path / name, format=name, quiet=True, **SMALL)
    files = [{p.relative_to(f): p.read_bytes() for p in f.rglob("*") if p.is_file()} for f in (written[name], again)]
    assert files[0] == files[1]


def chunks(data: bytes, at: int = 12) -> dict[bytes, bytes]:
    found = {}
    while at < len(data):
        size = struct.unpack_from("<I", data, at + 4)[0]
        found[data[at : at + 4]] = data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
    return found


def sfz_regions(path: Path) -> Iterator[dict[str, str]]:
    for line in path.read_text().splitlines():
        if line.startswith("<region>"):
            yield dict(word.split("=", 1) for word in line.split()[1:])


def exists(folder: Path, path: str) -> bool:
    """By its exact case, whatever the file system."""
    place = folder
    for part in Path(path).parts:
        if part not in {p.name for p in place.iterdir()}:
            return False
        place /= part
    return place.is_file()


def test_wav_files_know_their_keys(written, pack):
    for instrument in pack.instruments:
        for zone in instrument.zones:
            path = written["wav"] / instrument.stem / f"{zone.sample.name}.wav"
            audio = read_audio(path)
            np.testing.assert_allclose(audio, zone.sample.sound, atol=2e-7)
            found = chunks(path.read_bytes())
            root, _, _, *ranges = struct.unpack("<7b", found[b"inst"])
            assert (root, *ranges) == (zone.root, zone.low, zone.high, zone.softest, zone.hardest)
            assert struct.unpack_from("<I", found[b"smpl"], 12)[0] == zone.root
            loops = struct.unpack_from("<I", found[b"smpl"], 28)[0]
            assert loops == (zone.sample.loop is not None)
            if zone.sample.loop:
                start, stop = struct.unpack_from("<II", found[b"smpl"], 36 + 8)
                assert (start, stop + 1) == zone.sample.loop


def test_sfz_names_its_samples_and_zones(written, pack):
    for instrument in pack.instruments:
        regions = list(sfz_regions(written["sfz"] / f"{instrument.stem}.sfz"))
        assert len(regions) == len(instrument.zones)
        for region, zone in zip(regions, instrument.zones, strict=True):
            assert exists(written["sfz"], region["sample"])
            wanted = (zone.low, zone.high, zone.root, zone.softest, zone.hardest)
            assert tuple(int(region[name]) for name in ORDER) == wanted
            assert (region["seq_length"], region["seq_position"]) == ("2", str(zone.turn))
            assert ("loop_start" in region) == (zone.sample.loop is not None)


@pytest.mark.parametrize(("format", "ending"), [("sfz", "sfz"), ("decentsampler", "dspreset")])
def test_our_own_readers_of_mappings_agree(written, pack, format, ending):
    reader = pytest.importorskip(f"antiphon.data.labelling.sources.{ending}")
    for instrument in pack.instruments:
        regions = list(reader.regions(written[format] / f"{instrument.stem}.{ending}"))
        assert Counter((r.pitch, r.low, r.high, r.round_robin, r.role) for r in regions) == Counter(
            (zone.root, zone.softest, zone.hardest, zone.turn, "note") for zone in instrument.zones
        )


@pytest.mark.parametrize("format", ["wav", "sfz", "decentsampler"])
def test_a_pack_can_be_learned_from(written, pack, format):
    found = scan(written[format], track=False)
    assert Counter(row.pitch for row in found.rows) == Counter(float(zone.root) for zone in zones_of(pack))
    assert {row.instrument for row in found.rows} == {"harp", "violin"}


def test_decentsampler_finds_its_samples(written, pack):
    for instrument in pack.instruments:
        root = xml.parse(written["decentsampler"] / f"{instrument.stem}.dspreset").getroot()
        assert root.tag == "DecentSampler"
        assert [child.tag for child in root] == ["groups"]
        groups = list(root[0])
        assert [g.get("seqMode") for g in groups] == ["round_robin"] * 2  # or takes would sound at once
        assert [g.get("seqPosition") for g in groups] == ["1", "2"]
        samples = [sample for group in groups for sample in group]
        assert len(samples) == len(instrument.zones)
        for sample in samples:
            assert exists(written["decentsampler"], str(sample.get("path")))
            low, high = int(sample.get("loNote", 0)), int(sample.get("hiNote", 127))
            assert 0 <= low <= int(sample.get("rootNote", -1)) <= high <= 127
            assert (sample.get("loopEnabled") == "true") == (sample.get("loopStart") is not None)


def test_multisample_keeps_to_its_schema(written, pack):
    for instrument in pack.instruments:
        with zipfile.ZipFile(written["multisample"] / f"{instrument.stem}.multisample") as file:
            assert {entry.compress_type for entry in file.infolist()} == {zipfile.ZIP_STORED}
            names = file.namelist()
            root = xml.fromstring(file.read("multisample.xml"))
            assert len(names) == len(set(names)) == len(instrument.zones) + 1
        assert [child.tag for child in root][:4] == ["generator", "category", "creator", "description"]
        assert all((child.text or "").strip() for child in list(root)[:3])
        samples = root.findall("sample")
        assert len(samples) == len(instrument.zones)
        for sample in samples:
            assert sample.get("file") in names
            assert sample.get("zone-logic") == "round-robin"
            assert [child.tag for child in sample] == ["key", "velocity", "select", "loop"]
            assert all(0 <= int(str(child.get(end))) <= 127 for child in list(sample)[:3] for end in ("low", "high"))
            assert sample[3].get("mode") in ("off", "loop")


def test_our_own_reader_reads_the_soundfont(written, pack):
    (path,) = written["sf2"].glob("*.sf2")
    presets = read_presets(path)
    assert {(p.name, p.bank, p.program) for p in presets} == {(i.name, 0, i.program) for i in pack.instruments}
    for instrument in pack.instruments:
        (preset,) = [p for p in presets if p.name == instrument.name]
        once = [zone for zone in instrument.zones if zone.turn == 1]
        found = Counter((z.low, z.high, z.velocity_low, z.velocity_high, z.root) for z in preset.zones)
        assert found == Counter((z.low, z.high, z.softest, z.hardest, z.root) for z in once)


# ---- other players ---------------------------------------------------------------------------------------------------


def _has_fluidsynth() -> bool:
    try:
        fluidsynth()
    except AntiphonError:
        return False
    return True


needs_fluidsynth = pytest.mark.skipif("not _has_fluidsynth()")


def heard_pitch(sound: np.ndarray, near: float) -> float:
    """MIDI, by the strongest of the first four harmonics."""
    size = 1 << 16
    part = sound[2000:22000]
    power = np.abs(np.fft.rfft(part * np.hanning(len(part)), size)) ** 2
    f0, best = 440 * 2 ** ((near - 69) / 12) * size / RATE, []
    for k in range(1, 5):
        low, high = int(k * f0 / 1.03), int(k * f0 * 1.03) + 2
        if high < len(power) - 1:
            i = low + int(np.argmax(power[low:high]))
            a, b, c = np.log(power[i - 1 : i + 2] + 1e-30)
            best.append((power[i], (i + (a - c) / (2 * (a - 2 * b + c))) / k))
    return float(69 + 12 * np.log2(max(best)[1] * RATE / size / 440))


def level_db(sound: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(sound[2000:20000].astype(np.float64) ** 2) + 1e-20))


def onset(sound: np.ndarray) -> float:
    """Seconds at which a tenth of the peak of the first half second is reached."""
    part = np.abs(sound[: RATE // 2])
    return float(np.argmax(part > 0.1 * part.max()) / RATE)


def check_in_a_player(font: Path, voice, instrument, zones, curve: float = 0.0) -> None:
    """Every fourth key and each layer, beside the voice's own notes. curve: by how many times the square of the
    velocity the player makes softer on its own what is softer already."""
    (preset,) = [p for p in read_presets(font) if p.program == instrument.program or p.name == instrument.name]
    offsets = []
    with Fluid() as fluid:
        fluid.select(font, preset)
        for low, high in {(zone.low, zone.high) for zone in zones}:
            roots = {z.root for z in zones if z.low == low}
            for key in {*range(max(low, 55), min(high, 80) + 1, 4), *roots}:
                softer = -np.inf
                for velocity in sorted({z.sample.note.velocity for z in zones}):
                    heard = fluid.note(key, int(velocity), round(0.6 * RATE), RATE)[:, 0]
                    own = voice.note(key, instrument=instrument.name, velocity=velocity, seconds=0.6)
                    assert abs(heard_pitch(heard, key) - heard_pitch(own, key)) < 0.03, (key, velocity)
                    assert abs(onset(heard) - onset(own)) < 0.005
                    loud = level_db(heard)
                    assert loud > softer
                    softer = loud
                    if key in roots:
                        offsets.append(loud - level_db(own) - curve * 40 * np.log10(velocity / 127))
    assert len(offsets) >= 2
    assert max(offsets) - min(offsets) < 1.0  # one gain


@needs_fluidsynth
def test_fluidsynth_plays_the_soundfont_as_the_voice_does(written, voice, pack):
    (path,) = written["sf2"].glob("*.sf2")
    for instrument in pack.instruments:
        check_in_a_player(path, voice, instrument, instrument.zones)


@needs_fluidsynth
def test_a_looped_note_lasts_as_long_as_the_key_is_down(tmp_path):
    how = {"instrument": "flute", "keys": 24, "velocities": 1, "takes": 1}
    made = antiphon.export("gm", tmp_path, format="sf2", quiet=True, **how)
    zone = next(zone for zone in zones_of(verb.from_voice("gm", **how)) if zone.sample.loop)
    start, end = zone.sample.loop
    forever = np.concatenate([zone.sample.sound[:end], *[zone.sample.sound[start:end]] * 20])[: 4 * RATE]
    (path,) = made.glob("*.sf2")
    with Fluid() as fluid:
        fluid.select(path, read_presets(path)[0])
        heard = fluid.note(zone.root, 100, 5 * RATE, 8 * RATE)[:, 0]
    gain = heard[: len(forever)] @ forever / (forever @ forever)
    assert np.abs(heard[: len(forever)] - gain * forever).max() < 0.05 * np.abs(gain * forever).max()
    assert len(heard) < 7 * RATE  # and ends


@needs_fluidsynth
@pytest.mark.skipif(shutil.which("polyphone") is None, reason="no polyphone")
def test_polyphone_reads_the_sfz(voice, pack, tmp_path, monkeypatch):
    """It does not know `amp_veltrack`."""
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    folder = antiphon.export(voice, tmp_path / "sfz", instrument="violin", quiet=True, **(SMALL | {"takes": 1}))
    line = ["polyphone", "-1", "-i", str(folder / "violin.sfz"), "-d", str(tmp_path), "-o", "made"]
    subprocess.run(line, check=True, timeout=60, capture_output=True)
    (instrument,) = (i for i in pack.instruments if i.name == "violin")
    zones = [zone for zone in instrument.zones if zone.turn == 1]
    check_in_a_player(tmp_path / "made.sf2", voice, replace(instrument, program=-1), zones, curve=1)


# ---- what can go wrong -----------------------------------------------------------------------------------------------


def everything_in(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_interrupted_leaves_nothing(voice, tmp_path, monkeypatch, name):
    usual = exporters()[name]

    def broken() -> bytes:
        raise KeyboardInterrupt

    stopped = replace(usual, files=lambda pack: usual.files(pack) | {"zzz/last": broken})
    monkeypatch.setattr(verb, "exporters", lambda: {name: stopped})
    with pytest.raises(KeyboardInterrupt):
        antiphon.export(voice, tmp_path / "new" / "pack", format=name, keys=48, seconds=0.1, quiet=True)
    assert everything_in(tmp_path) == set()


def test_nothing_is_overwritten_without_force(voice, tmp_path):
    how = {"keys": 48, "velocities": 1, "takes": 1, "seconds": 0.1, "quiet": True}
    (tmp_path / "harp.sfz").write_text("mine")
    with pytest.raises(AntiphonError, match=r"harp\.sfz exists"):
        antiphon.export(voice, tmp_path, **how)
    assert everything_in(tmp_path) == {tmp_path / "harp.sfz"}
    antiphon.export(voice, tmp_path, force=True, **how)
    assert (tmp_path / "harp.sfz").read_text() != "mine"


HOSTILE = ("../../../etc/passwd", 'a"><sample path="/x"/> <region> sample=/etc/passwd // \u0007 &amp;')


@pytest.mark.parametrize("name", FORMATS)
def test_names_break_out_of_nothing(voice, tmp_path, name):
    labels = LabelTable(HOSTILE, voice.styles)
    info = replace(
        voice.info, name="../<b>&\n#define", licence="]]> </description>\n<region>", styles_of={}, range_of={}
    )
    hostile = type(voice)(type(voice.model)(voice.model.config, labels), info)
    out = antiphon.export(hostile, tmp_path / "in" / "pack", format=name, keys=48, takes=1, seconds=0.1, quiet=True)
    assert everything_in(tmp_path) == {tmp_path / "in", out, *everything_in(out)}
    for path in (p for p in everything_in(out) if p.is_file()):
        data = path.read_bytes()
        if path.suffix == ".sfz":
            assert all(region["sample"].startswith("samples/") for region in sfz_regions(path))
            assert data.count(b"\n") == 2 + len(list(sfz_regions(path)))
        if path.suffix == ".dspreset":
            assert {e.tag for e in xml.fromstring(data).iter()} == {"DecentSampler", "groups", "group", "sample"}
        if path.suffix == ".multisample":
            with zipfile.ZipFile(io.BytesIO(data)) as file:
                assert all("/" not in entry for entry in file.namelist())
                told = xml.fromstring(file.read("multisample.xml"))
            assert told.get("name") in [" ".join(name.replace("\a", " ").split()) for name in HOSTILE]
            assert told.findtext("creator") == "../<b>& #define"
    assert file_stem("..") == "sound"
    assert file_stem("a/b\\c:d") == "a-b-c-d"


def test_what_cannot_be_done_is_said_in_one_line(voice, tmp_path, antiphon_line):
    out = tmp_path / "out"
    (tmp_path / "file").write_text("x")
    for args, said in [
        (["vocoder", "-o", out], "cannot become a sampler pack"),
        (["gm", "-o", out], "gm has 113 instruments"),
        (["gm", "-o", out, "--instrument", "all", "--keys", "1"], "too many"),
        (["gm", "-o", out, "--instrument", "nothing like it"], "nothing like it"),
        (["gm", "-o", out, "--instrument", "flute", "--format", "nki"], "use one of decentsampler"),
        (["gm", "-o", out, "--instrument", "flute", "--velocities", "0"], "velocities cannot be 0"),
        (["gm", "-o", out, "--instrument", "flute", "--seconds", "nan"], "cannot be held for nan"),
        (["gm", "-o", tmp_path / "file", "--instrument", "flute"], "is not a folder"),
        (["gm", "-o", out, "--instrument", "flute>cello"], "flute"),
    ]:
        result = antiphon_line("export", *args)
        assert result.status == 2, args
        assert len(result.err) == 1
        assert said in result.err[0], result.err
    assert not out.exists()


def test_the_command_line_prints_the_folder(run_folder, tmp_path, antiphon_line):
    out = tmp_path / "pack"
    words = ["--keys", 48, "--takes", 1, "--velocities", 1, "--seconds", 0.1, "--instrument", "harp", "violin"]
    result = antiphon_line("export", run_folder, "-o", out, "--format", "wav", *words)
    assert (result.status, result.out[-1]) == (0, str(out))
    assert {p.name for p in out.iterdir()} == {"README.txt", "harp", "violin"}


def test_a_recording_becomes_an_instrument(voice, tmp_path):
    note = write_audio(tmp_path / "bell_A4.wav", tone(69, 0.8, plucked=True))
    made = verb.from_voice(voice, instrument=[str(note)], keys=48, velocities=1, takes=1, seconds=0.1)
    assert [i.name for i in made.instruments] == ["bell_A4"]
