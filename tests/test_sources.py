"""Where labels come from: samplers' mappings, files' own headers, names, the ear; which counts; what inspect tells."""

import contextlib
import json
import struct
from dataclasses import replace

import numpy as np
import pytest
from conftest import RATE, tone
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.audio.files import probe, read_audio, write_audio
from antiphon.core.errors import AntiphonError
from antiphon.data.analysis.ear import octave_told, weigh
from antiphon.data.analysis.recording import one_note
from antiphon.data.analysis.session import holds_several, notes_in, surely_one
from antiphon.data.analysis.tracker import Tracker
from antiphon.data.labelling.manifest import scan
from antiphon.data.labelling.row import Manifest, Refused, Row, note_name
from antiphon.data.labelling.sources import chunks, sfz
from antiphon.data.prepare import prepare
from antiphon.data.prepared import Prepared
from antiphon.verbs.data import cut, described, inspect
from antiphon.verbs.folder_page import folder_page

SWIFT = pytest.mark.skipif("not __import__('antiphon.data.analysis.tracker').data.analysis.tracker.can_track()")


def sounds(folder, names, pitch=60):
    for name in names:
        write_audio(folder / name, tone(pitch, 0.3))
    return folder


def rows(folder, **how):
    return {row.path.name: row for row in scan(folder, track=False, **how).rows}


# ---- mappings --------------------------------------------------------------------------------------------------------

SFZ = r"""
// a comment with sample=nothing.wav
#define $EXT wav
#define $KEY 62
/* and
<region> sample=neither.wav */
<control> default_path=Sounds\ note_offset=12
<global> ampeg_release=1 hivel=100
<master> pitch_keycenter=36
<group> lovel=64 seq_length=2
<region> sample=a one.$EXT lokey=40 hikey=45 pitch_keycenter=c3 seq_position=2
<region> sample=b.wav
#include "more/part.txt"
<group> trigger=release
<region> sample=sub/../c.wav key=$KEY
<group> on_locc64=127 on_hicc64=127 <region> sample=d.wav key=-1
<global>
<region> sample=e.wav key=50 transpose=12 lorand=0.5 hirand=1.0
<region> sample=f.wav lokey=1 hikey=127 pitch_keytrack=0
<region> sample=*sine key=60
"""


@pytest.fixture
def mapped(tmp_path):
    sounds(tmp_path / "sounds", ["A One.wav", "b.wav", "c.wav", "d.wav", "e.wav", "f.wav", "g.wav"])
    (tmp_path / "Instrument.sfz").write_text(SFZ)
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "part.txt").write_text("<region> sample=g.$EXT pitch_keycenter=$KEY lovel=1 hivel=20")
    return tmp_path


def test_an_sfz_says_pitch_velocity_role_and_round_robin(mapped):
    found = {
        region.sample.replace("\\", "/").rpartition("/")[2]: region for region in sfz.regions(mapped / "Instrument.sfz")
    }
    assert found.keys() == {"a one.wav", "b.wav", "c.wav", "d.wav", "e.wav", "f.wav", "g.wav"}
    one = found["a one.wav"]
    assert (one.pitch, one.low, one.high, one.role, one.round_robin) == (60, 64, 100, "note", 2)
    assert (found["b.wav"].pitch, found["b.wav"].low) == (48, 64)
    assert (found["g.wav"].pitch, found["g.wav"].low, found["g.wav"].high) == (74, 1, 20)
    assert [found[f"{name}.wav"].role for name in "cd"] == ["release", "noise"]
    assert (found["e.wav"].pitch, found["e.wav"].round_robin, found["e.wav"].high) == (50, 2, 127)
    assert found["f.wav"].pitch is None


def test_a_mapping_counts_more_than_names(mapped):
    (mapped / "sounds" / "A One.wav").rename(mapped / "sounds" / "a one.wav")
    for folder in (mapped, mapped / "sounds"):  # the mapping may lie right above the sounds
        said = described(folder)
        known = {row["path"].rpartition("/")[2]: row for row in said["rows"]}
        assert known["a one.wav"]["pitch"] == 60
        assert (known["a one.wav"]["pitch_from"], known["a one.wav"]["velocity_from"]) == ("sfz", "sfz")
        assert (known["a one.wav"]["velocity"], known["a one.wav"]["round_robin"]) == (82, 2)
        assert [known[f"{name}.wav"]["role"] for name in "cdg"] == ["release", "noise", "note"]
        assert any("mapping (sfz)" in remark for remark in said["remarks"])


def test_mappings_that_go_in_circles_or_are_broken_are_remarked(tmp_path):
    sounds(tmp_path, ["a C4.wav"])
    (tmp_path / "x.sfz").write_text('#include "x.sfz"\n<region> sample=a C4.wav key=60')
    (tmp_path / "y.dspreset").write_text("<DecentSampler><groups><group><sample path=")
    (tmp_path / "z.xml").write_text("<instrument><samples>")
    manifest = scan(tmp_path, track=False)
    assert [row.pitch for row in manifest.rows] == [60]
    assert any("x.sfz includes too much" in remark for remark in manifest.remarks)
    assert any("z.xml cannot be read" in remark for remark in manifest.remarks)


def test_a_dspreset_even_one_that_is_no_xml(tmp_path):
    sounds(tmp_path / "Samples", ["1.wav", "2.wav", "3.wav", "4.wav"])
    (tmp_path / "a.dspreset").write_text(
        '<DecentSampler><ui a="1" a="2"/><groups loVel="1"><group hiVel="50">'
        '<sample path="Samples/1.wav" rootNote="40" seqPosition="3"/>'
        '<sample path="Samples/2.wav" rootNote="F#3"/></group>'
        '<group trigger="release"><sample path="Samples/3.wav" rootNote="41"/></group>'
        '<group pitchKeyTrack="0"><sample path="Samples/4.wav" rootNote="41"/></group></groups>'
    )
    said = {row["path"]: row for row in described(tmp_path, pitch="no")["rows"]}
    assert (said["Samples/1.wav"]["velocity"], said["Samples/1.wav"]["round_robin"]) == (26, 3)
    assert said["Samples/3.wav"]["role"] == "release"
    found = rows(tmp_path)
    assert [found[f"{i}.wav"].pitch for i in (1, 2)] == [40, 54]
    assert "4.wav" not in found


def test_drum_kits_of_hydrogen_and_drumgizmo(tmp_path):
    sounds(tmp_path / "h", ["x1.wav", "x2.wav"])
    (tmp_path / "h" / "drumkit.xml").write_text(
        '<drumkit_info xmlns="http://www.hydrogen-music.org/drumkit"><instrumentList><instrument><name>Kick</name>'
        "<layer><filename>x1.wav</filename><min>0</min><max>0.5</max></layer>"
        "<layer><filename>x2.wav</filename><min>0.5</min><max>1</max></layer></instrument></instrumentList></drumkit_info>"
    )
    found = rows(tmp_path / "h", one_shots=True)
    assert {row.instrument for row in found.values()} == {"kick"}
    assert (found["x1.wav"].velocity, found["x2.wav"].velocity) == (32, 96)
    sounds(tmp_path / "d" / "samples", ["1-a.wav", "2-a.wav", "3-a.wav"])
    (tmp_path / "d" / "Snare.xml").write_text(
        '<instrument version="2.0" name="Snare"><samples>'
        + "".join(
            f'<sample name="s{i}" power="{p}"><audiofile channel="A" file="samples/{i}-a.wav"/></sample>'
            for i, p in ((1, 0.9), (2, 0.001), (3, 0.04))
        )
        + "</samples></instrument>"
    )
    found = rows(tmp_path / "d", one_shots=True)
    assert {row.instrument for row in found.values()} == {"snare"}
    order = sorted(found.values(), key=lambda row: row.velocity)
    assert [row.path.name for row in order] == ["2-a.wav", "3-a.wav", "1-a.wav"]


def test_a_map_of_drums_is_no_map_of_pitches(tmp_path):
    sounds(tmp_path, ["Kick.wav", "Snare.wav"])
    (tmp_path / "kit.sfz").write_text("<region> sample=Kick.wav key=36 <region> sample=Snare.wav key=38")
    assert not rows(tmp_path)
    assert len(rows(tmp_path, one_shots=True)) == 2


def test_bells_that_a_mapping_puts_on_keys_are_notes(tmp_path):
    sounds(tmp_path, [f"bell_{k}.wav" for k in range(8)])
    (tmp_path / "b.sfz").write_text("".join(f"<region> sample=bell_{k}.wav key={60 + k}\n" for k in range(8)))
    assert sorted(row.pitch for row in rows(tmp_path).values()) == list(range(60, 68))


# ---- headers ---------------------------------------------------------------------------------------------------------


def with_chunk(path, name, body):
    data = path.read_bytes() + name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) & 1)
    path.write_bytes(data[:4] + struct.pack("<I", len(data) - 8) + data[8:])


def test_a_wavs_own_key_is_read(tmp_path):
    for k, key in enumerate((50, 55, 62)):
        sounds(tmp_path, [f"thing {k}.wav"], key)
        with_chunk(tmp_path / f"thing {k}.wav", b"smpl", struct.pack("<9I", 0, 0, 22676, key, 0, 0, 0, 0, 0))
    sounds(tmp_path, ["last.wav"], 70)
    with_chunk(tmp_path / "last.wav", b"inst", struct.pack("<7b", 70, 0, 0, 0, 127, 1, 40))
    found = rows(tmp_path)
    assert {name: row.pitch for name, row in found.items()} == {
        "thing 0.wav": 50, "thing 1.wav": 55, "thing 2.wav": 62, "last.wav": 70,
    }  # fmt: skip
    assert {row.source for row in found.values()} == {"chunk"}
    assert found["last.wav"].velocity == 20


def test_a_key_that_all_files_have_is_none(tmp_path):
    for key in range(50, 56):
        sounds(tmp_path, [f"horn_{note_name(key)}.wav"], key)
        with_chunk(tmp_path / f"horn_{note_name(key)}.wav", b"smpl", struct.pack("<9I", 0, 0, 22676, 57, 0, 0, 0, 0, 0))
    assert sorted(row.pitch for row in rows(tmp_path).values()) == list(range(50, 56))


def test_an_aiffs_own_key_is_read(tmp_path):
    write_audio(tmp_path / "a.aiff", tone(52, 0.3))
    data = (tmp_path / "a.aiff").read_bytes()
    chunk = b"INST" + struct.pack(">I", 20) + struct.pack(">6b", 52, 0, 0, 127, 1, 127) + bytes(14)
    data = data[:12] + chunk + data[12:]
    (tmp_path / "a.aiff").write_bytes(data[:4] + struct.pack(">I", len(data) - 8) + data[8:])
    assert chunks.read(tmp_path / "a.aiff").pitch == 52
    assert len(read_audio(tmp_path / "a.aiff")) > 10_000


# ---- the ear ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pitch", [45, 60, 74])
def test_partials_tell_octaves(pitch):
    sound = tone(pitch, 0.8)
    assert [octave_told(sound, pitch + shift) for shift in (-12, 0, 12)] == [12, 0, -12]
    odd = tone(pitch, 0.8) - tone(pitch + 12, 0.8)  # hardly an even harmonic, as a clarinet
    assert octave_told(odd.astype(np.float32), pitch) == 0
    assert weigh(sound, pitch + 5, float(pitch)).moved
    assert weigh(sound, pitch, None).pitch == pitch


@SWIFT
def test_octaves_of_names_are_settled_an_instrument_at_a_time(tmp_path):
    for key in range(57, 69, 2):
        sounds(tmp_path, [f"oboe/oboe_{note_name(key - 12)}.wav"], key)
        sounds(tmp_path, [f"flugel/flugel_{note_name(key)}.wav"], key)
        sounds(tmp_path, [f"whatever/whatever_{note_name(key + 24)}.wav"], key)
    manifest = scan(tmp_path)
    for name in ("oboe", "flugel", "whatever"):
        assert sorted(row.pitch for row in manifest.rows if row.instrument == name) == list(range(57, 69, 2))
    assert any("two octaves too high" in remark for remark in manifest.remarks)


@SWIFT
def test_one_name_that_is_wrong_is_used_as_it_is_heard(tmp_path):
    for key in range(57, 69, 2):
        sounds(tmp_path, [f"clarinet_{note_name(key)}_f.wav"], key)
    sounds(tmp_path, ["clarinet_C5_ff.wav"], 71)
    sounds(tmp_path, ["clarinet_D#3_ff.wav"], 63)
    manifest = scan(tmp_path)
    known = {row.path.name: row for row in manifest.rows}
    assert known["clarinet_C5_ff.wav"].pitch == 71
    assert known["clarinet_D#3_ff.wav"].pitch == 63
    assert "it sounds like B4, which is used, not C5 as its name says" in known["clarinet_C5_ff.wav"].remark
    assert sum("it sounds like" in remark for remark in manifest.remarks) == 2
    assert not manifest.refused


@SWIFT
def test_a_mapping_of_another_octave_is_used_and_told(tmp_path):
    for key in (45, 48, 52, 55, 57):
        sounds(tmp_path, [f"{key}.wav"], key)
    (tmp_path / "bass.sfz").write_text("".join(f"<region> sample={k}.wav key={k + 12}\n" for k in (45, 48, 52, 55, 57)))
    manifest = scan(tmp_path)
    assert sorted(row.pitch for row in manifest.rows) == [57, 60, 64, 67, 69]
    assert any("12 semitones lower than its mapping says" in remark for remark in manifest.remarks)


@SWIFT
def test_numbers_are_keys_where_most_are_heard(tmp_path):
    for key in range(57, 67):
        sounds(tmp_path / "keys", [f"tine {key}.wav"], key + (4 if key == 60 else 0))
        sounds(tmp_path / "counts", [f"thing {key - 7}.wav"], 60 + key % 5)
    found = scan(tmp_path / "keys")
    assert [row.pitch for row in found.rows] == [57, 58, 59, 64, 61, 62, 63, 64, 65, 66]
    assert [row.path.name for row in found.rows if row.remark] == ["tine 60.wav"]
    found = scan(tmp_path / "counts")
    assert {round(row.pitch) for row in found.rows} == set(range(60, 65))


def levels(folder, order):
    """Five files a key, whose counters' levels, dB, are these."""
    for key in (60, 64, 67):
        for k, db in enumerate(order, 1):
            write_audio(folder / f"A__{note_name(key)}_{k}.wav", tone(key, 0.3) * np.float32(10 ** (db / 20)))
    return folder


def test_levels_tell_layers_from_round_robins(tmp_path):
    soft_first = rows(levels(tmp_path / "rising", [-24, -18, -12, -6, 0]))
    assert [soft_first[f"A__C4_{k}.wav"].velocity for k in range(1, 6)] == [13, 38, 64, 89, 114]
    loud_first = scan(levels(tmp_path / "falling", [0, -6, -12, -18, -24]), track=False)
    known = {row.path.name: row.velocity for row in loud_first.rows}
    assert [known[f"A__C4_{k}.wav"] for k in range(1, 6)] == [115, 90, 64, 39, 14]
    assert any("from loud to soft" in remark for remark in loud_first.remarks)
    alike = rows(levels(tmp_path / "alike", [0, -0.3, 0.2, -0.1, 0.1]))
    assert {row.velocity for row in alike.values()} == {90}
    assert alike["A__C4_4.wav"].round_robin == 4
    mixed = rows(levels(tmp_path / "mixed", [-3, -12, 0, -9, -5]))
    assert {row.velocity for row in mixed.values()} == {90}


# ---- roles -----------------------------------------------------------------------------------------------------------


def test_releases_and_noises_are_no_notes(tmp_path, antiphon_line):
    folder = sounds(tmp_path / "x", ["p_C4_release.wav", "p_noise_1.wav", "p_C4.wav", "p_D4_f.wav"])
    (folder / "bad_C4.wav").write_text("words")
    assert {row.path.name for row in scan(folder, track=False).rows} == {"p_C4.wav", "p_D4_f.wav"}
    said = json.loads("\n".join(antiphon_line("data", "inspect", folder, "--json").out))
    roles = {row["path"]: row["role"] for row in said["rows"]}
    assert roles == {"p_C4_release.wav": "release", "p_noise_1.wav": "noise", "p_C4.wav": "note", "p_D4_f.wav": "note"}
    assert [item["path"] for item in said["refused"]] == ["bad_C4.wav"]
    assert said["refused"][0]["reason"]
    table = "\n".join(antiphon_line("data", "inspect", folder).out)
    assert "1 release samples, 1 noises" in table


def test_noises_are_sounds_where_no_pitch_is_needed(tmp_path):
    folder = sounds(tmp_path / "x", ["breath.wav", "white noise 1.wav", "rain.wav"])
    assert len(scan(folder, track=False, pitch="no").rows) == 3
    assert not scan(folder, track=False).rows
    sounds(tmp_path / "rel", ["C4_release.wav", "D4_release.wav"])
    assert len(scan(tmp_path / "rel", track=False).rows) == 2  # nothing else: what a person means by this folder


def test_halves_are_one_sound(tmp_path):
    left, right = tone(60, 0.3), tone(60, 0.3) * np.float32(0.7) + tone(72, 0.3) * np.float32(0.3)
    for side, sound in (("L", left), ("R", right)):
        write_audio(tmp_path / "s" / f"x_C4_{side}.wav", sound)
    write_audio(tmp_path / "s" / "x_D4_L.wav", tone(62, 0.3))
    write_audio(tmp_path / "s" / "x_D4_R.wav", tone(62, 0.5))  # another length: another sound
    manifest = scan(tmp_path / "s", track=False)
    assert [row.path.name for row in manifest.rows] == ["x_C4_L.wav", "x_D4_L.wav", "x_D4_R.wav"]
    assert manifest.rows[0].right.name == "x_C4_R.wav"
    data = [Prepared(prepare(m, tmp_path / f"{i}.safetensors").path).audio(0) for i, m in enumerate(
        (manifest, replace(manifest, rows=[replace(row, right=None) for row in manifest.rows])))]  # fmt: skip
    assert not np.allclose(data[0][:5000], data[1][:5000], atol=1e-3)


# ---- sessions --------------------------------------------------------------------------------------------------------


def session(keys, gap=0.25):
    return np.concatenate([part for key in keys for part in (tone(key, 0.5), np.zeros(round(gap * RATE), np.float32))])


KEYS = [57, 60, 64, 64, 69, 62]


@SWIFT
def test_notes_of_a_session_are_found():
    found = notes_in(session(KEYS))
    assert [round(span.pitch) for span in found] == KEYS
    for k, span in enumerate(found):
        assert abs(span.start / RATE - 0.75 * k) < 0.03
        assert abs((span.end - span.start) / RATE - 0.5) < 0.08
    assert holds_several(session(KEYS)) == 6
    assert holds_several(tone(60, 6.0)) == 0


def test_one_note_is_told_without_the_tracker():
    hum = np.random.default_rng(0).normal(0, 1e-3, 3 * RATE).astype(np.float32)
    for key in (28, 60, 100):
        assert surely_one(tone(key, 3.0) + hum, key)
        assert not surely_one(tone(key, 3.0) + hum, key + 1)
    assert not surely_one(session(KEYS), KEYS[0])
    assert not surely_one(session([60] * 6), 60)  # struck six times
    assert not surely_one(np.concatenate([tone(60, 1.0), tone(62, 0.3), tone(64, 1.0)]), 60)


@SWIFT
def test_most_names_are_confirmed_at_once_and_wrong_ones_heard(tmp_path, monkeypatch):
    heard = []
    track = Tracker.pitch
    monkeypatch.setattr(Tracker, "pitch", lambda self, x, rate: heard.append(len(x) / rate) or track(self, x, rate))
    wrong = {25: 12, 28: 3, 31: -12}  # semitones, and octaves that the partials tell
    for k in range(32):
        sound = tone(45 + k + wrong.get(k, 0), 0.5)
        write_audio(tmp_path / "oboe" / f"oboe_{k:02}_{note_name(57 + k)}.wav", sound)
    assert [row.pitch - 45 - k for k, row in enumerate(scan(tmp_path / "oboe").rows)] == [
        wrong.get(k, 0) for k in range(32)
    ]
    assert len(heard) < 40
    assert sum(seconds > 0.4 for seconds in heard) < 12


@SWIFT
def test_a_session_is_refused_and_can_be_cut(tmp_path, antiphon_line):
    loud = np.concatenate([session(KEYS), session(KEYS) * np.float32(0.05)]) * np.float32(0.5)
    write_audio(tmp_path / "s" / "oboe session.wav", np.stack([loud, loud * np.float32(0.8)], 1))
    (refused,) = scan(tmp_path / "s").refused
    assert "about 6 notes" in refused.reason
    assert "data cut" in refused.reason
    said = antiphon_line("data", "cut", tmp_path / "s" / "oboe session.wav", "-o", tmp_path / "notes")
    assert said.out == [str(tmp_path / "notes")]
    assert "<svg" in (tmp_path / "notes" / "cut.html").read_text()
    manifest = scan(tmp_path / "notes")
    assert sorted(row.pitch for row in manifest.rows) == sorted(KEYS * 2)
    assert {row.velocity for row in manifest.rows} == {115, 26}
    assert {probe(row.path).channels for row in manifest.rows} == {2}
    assert {row.instrument for row in manifest.rows} == {"oboe"}
    assert not manifest.remarks
    with pytest.raises(AntiphonError, match="not empty"):
        cut(tmp_path / "s" / "oboe session.wav", tmp_path / "notes", quiet=True)
    write_audio(tmp_path / "hiss.wav", 0.1 * np.random.default_rng(0).standard_normal(RATE).astype(np.float32))
    with pytest.raises(AntiphonError, match="no notes"):
        cut(tmp_path / "hiss.wav", tmp_path / "none", quiet=True)


@SWIFT
def test_of_a_phrase_the_first_note_is_taken():
    slurred = np.concatenate([tone(key, 0.9)[: round(0.86 * RATE)] for key in (60, 62, 65, 69)])
    taken = one_note(slurred, "legato.wav")
    assert taken.pitch == 60
    assert 0.7 * RATE < len(taken.audio) < 1.0 * RATE
    assert "4 notes in succession; only the first" in taken.remarks[0]


def test_the_page_of_a_folder(tmp_path):
    folder = sounds(tmp_path / "x", ["oboe_C4_p.wav", "oboe_C4_f.wav"])
    (folder / "bad_C4.wav").write_text("words")
    inspect(folder, picture=tmp_path / "page.html", quiet=True)
    page = (tmp_path / "page.html").read_text()
    assert page.count("<circle") == 2
    assert "bad_C4.wav" in page
    assert "<audio" in page
    with pytest.raises(AntiphonError, match="exists"):
        inspect(folder, picture=tmp_path / "page.html", quiet=True)


@pytest.mark.parametrize("instruments", [1, 20_000])
def test_the_page_of_a_huge_folder_stays_small(tmp_path, instruments):
    notes = [
        Row(tmp_path / f"{i}.wav", 30.0 + i % 70, f"instrument {i % instruments}", "p", velocity=1 + i % 100)
        for i in range(20_000)
    ]
    refused = [Refused(tmp_path / f"{i}.bad", "damaged") for i in range(20_000)]
    page = folder_page(Manifest(tmp_path, notes, refused, [], aside=tuple(notes)))
    assert len(page) < 2_000_000
    assert "0.wav and " in page or "19900 more instruments" in page
    assert "and 19500 more" in page  # of what was refused


# ---- whatever lies there ---------------------------------------------------------------------------------------------

WORDS = [
    "<region>",
    "<group>",
    "<control>",
    "sample=a C4.wav",
    "sample=../../x.wav",
    "key=60",
    "key=c-9",
    "pitch_keycenter=",
    "lovel=1e999",
    "hivel=nan",
    "seq_position=inf",
    "lorand=x",
    "hirand=-1",
    "tune=-99999999999",
    '#include "a.sfz"',
    "#define $A $A$A",
    "$A=$A",
    "transpose=1e400",
    "\0",
    "é",
    "default_path=/",
    "note_offset=99999",
]
TAGS = [
    '<groups rootNote="x">',
    '<group loVel="1e999">',
    '<sample path="a C4.wav" rootNote="c4"/>',
    "</group>",
    "<",
    "&x;",
    "<drumkit_info>",
    "<instrument>",
    "<layer><filename>a C4.wav</filename><min>nan</min></layer>",
    "</instrument>",
    '<instrument name="x"><samples><sample power="inf"><audiofile file="a C4.wav"/></sample></samples></instrument>',
    '<samplemap><sample Root="400" FileName="a C4.wav" HiVel="-3"/></samplemap>',
    "\0",
    "</drumkit_info>",
]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from(WORDS), max_size=12), st.lists(st.sampled_from(TAGS), max_size=6), st.binary(max_size=60)
)
def test_any_mapping_is_read_or_remarked(tmp_path_factory, words, tags, junk):
    folder = sounds(tmp_path_factory.mktemp("m"), ["a C4.wav"])
    (folder / "a.sfz").write_text("\n".join(words), "utf-8")
    (folder / "a.dspreset").write_text("".join(tags), "utf-8")
    (folder / "b.xml").write_text("".join(tags), "utf-8")
    with_chunk(folder / "a C4.wav", b"smpl", junk)
    for row in scan(folder, track=False).rows:
        assert 0 <= row.pitch <= 127
        assert 1 <= row.velocity <= 127


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                b"\xff\xfb\x90\x00",
                b"ID3\x04\0\0\x7f\x7f\x7f\x7f",
                b"\xff",
                b"Xing",
                b"\0" * 500,
                b"fLaC",
                b"\xff\xf8\xc9\x18\0",
                b"RIFF\0\0\0\0WAVE",
                b"data\0\0\0\0",
                b"fmt \x10\0\0\0",
            ]
        ),
        max_size=9,
    )
)
def test_any_bytes_are_sound_or_refused(tmp_path_factory, pieces):
    path = tmp_path_factory.mktemp("b") / "x.mp3"
    for suffix in (".mp3", ".flac", ".wav"):
        path.with_suffix(suffix).write_bytes(b"".join(pieces))
        with contextlib.suppress(AntiphonError):
            read_audio(path.with_suffix(suffix))
