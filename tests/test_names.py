"""File names read among their siblings: pitches, octaves, layers, round robins, roles, halves, drums."""

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.data.labelling.names import read_names
from antiphon.data.labelling.pitches import separated, written
from antiphon.data.labelling.ranges import best_shift, range_of

NAMES = "C C# D D# E F F# G G# A A# B".split()  # noqa: SIM905


def note(key, octave=-1):
    return f"{NAMES[key % 12]}{key // 12 + octave}"


def read(names, root="sounds"):
    return read_names([PurePosixPath(name) for name in names], root)


def pitches(names, root="sounds"):
    return [said.pitch for said in read(names, root)]


@pytest.mark.parametrize(
    ("stem", "pitch"),
    [
        ("A0v1", 21), ("D#1vL", 27), ("ab3mp", 56), ("a1f", 33), ("A3#", 58), ("Fingered1#A1_1", 33),
        ("Slap1#Long-D3_3", 50), ("spitfluteD#3-1", 51), ("n_A1-H", 33), ("F#4", 66), ("C4_rr2", 60),
        ("Felt f B-1", 11), ("PianoC4", 60),
    ],
)  # fmt: skip
def test_notes_glued_to_what_surrounds_them(stem, pitch):
    assert written(separated(stem))[-1].pitch == pitch


@pytest.mark.parametrize("stem", ["HHClosed#6", "SnareLeftHand#3", "snare lh 01", "f-1", "Volume2", "take3"])
def test_what_is_no_note(stem):
    assert not written(separated(stem))


@pytest.mark.parametrize("octave", [-1, -2, -3])
def test_the_octave_of_a_piano_is_what_a_piano_has(octave):
    keys = range(21, 109, 3)
    assert pitches([f"Piano {note(key, octave)} {layer}.wav" for key in keys for layer in "pf"]) == [
        key for key in keys for _ in "pf"
    ]


@pytest.mark.parametrize(
    ("instrument", "keys", "octave"),
    [
        ("violin", range(55, 97, 2), -2),
        ("Cello Section", range(36, 70, 3), -2),
        ("EWHarp", range(24, 100, 5), -2),
        ("Tuba", range(29, 56, 2), -2),
        ("marimba", range(48, 97, 4), -2),
        ("violin", range(55, 97, 2), -1),
        ("flute", range(60, 90, 2), -1),
    ],
)
def test_octaves_are_settled_by_what_the_instrument_plays(instrument, keys, octave):
    assert pitches([f"{instrument}_{note(key, octave)}.wav" for key in keys]) == list(keys)


def test_two_conventions_of_one_orchestra():
    names = [f"Trombones/trombone_{note(key)}.wav" for key in range(40, 70, 3)]
    names += [f"Violins/violin_{note(key, -2)}.wav" for key in range(55, 97, 3)]
    assert pitches(names) == [*range(40, 70, 3), *range(55, 97, 3)]


def test_a_number_beside_a_note_settles_its_octave():
    assert pitches([f"L_RR1_{key}_{note(key, -2)}.wav" for key in range(48, 72)]) == list(range(48, 72))
    assert pitches([f"{key:03d}_{note(key)}_{key % 3}.wav" for key in range(48, 72)]) == list(range(48, 72))


def test_numbers_that_are_keys_and_numbers_that_count():
    assert pitches([f"mcg_mp_{key:03d}.wav" for key in range(21, 109)]) == list(range(21, 109))
    assert pitches([f"{key - 24} p.wav" for key in range(48, 97)], "Marimba") == list(range(48, 97))
    assert pitches([f"{k:02d}-PedalOffForte1Close.wav" for k in range(1, 89)], "Grand Piano") == list(range(21, 109))
    assert pitches([f"Player_dyn1_rr1_{k:03d}.wav" for k in range(44)], "Upright") == list(range(21, 109, 2))
    assert set(pitches([f"thing {k}.wav" for k in range(1, 30)])) == {None}


def test_numbers_that_say_what_they_are():
    names = ["midi60.wav", "note 61.wav", "hum 440Hz.wav", "bass_synthetic_033-050-075.wav"]
    assert pitches(names) == [60, 61, 69, 50]
    assert read(names)[-1].velocity == 75
    said = read([f"{key:03d}-{velocity}.wav" for key in range(40, 60) for velocity in (31, 64, 100, 127)])
    assert [one.pitch for one in said[::4]] == list(range(40, 60))
    assert [one.velocity for one in said[:4]] == [31, 64, 100, 127]


def test_octaves_left_out_and_other_alphabets():
    assert pitches(["F.wav", "G#.wav", "F1.wav", "C2.wav"], "things") == [29, 32, 41, 48]
    assert pitches(["Do3.wav", "Sol3.wav", "Sib3.wav", "La4.mp3"]) == [48, 55, 58, 69]
    assert pitches(["H3.wav", "B3.wav", "Cis4.wav", "As4.wav"]) == [59, 58, 61, 70]


def test_basses_whose_octaves_begin_at_their_lowest_string():
    keys = range(28, 64)
    names = [f"Slap1#{NAMES[key % 12]}{(key - 4) // 12 - 1}_1.wav" for key in keys]
    assert pitches(names) == list(keys)


@pytest.mark.parametrize(
    "layers",
    [
        ["v1", "v6", "v11", "v16"],
        ["v1", "v3", "v5"],
        ["vl1", "vl2", "vl3", "vl4"],
        ["L1", "L2", "L7"],
        ["Level1", "Level2"],
        ["dyn1", "dyn2", "dyn3"],
        ["pp", "p", "mp", "mf", "f", "ff"],
        ["Softest", "Soft", "Med", "Hard", "Hardest"],
        ["p", "m", "f"],
        ["L", "M", "H"],
        ["s", "h"],
        ["quiet", "loud"],
        ["v020", "v064", "v127"],
        ["Pianissimo", "Piano", "MezzoPiano", "MezzoForte", "Forte"],
    ],
)
def test_layers_rise(layers):
    said = read([f"thing_{note(key)}_{layer}.wav" for key in (60, 62, 64) for layer in layers])
    for at in range(0, len(said), len(layers)):
        velocities = [one.velocity for one in said[at : at + len(layers)]]
        assert velocities == sorted(set(velocities))
        assert velocities[-1] - velocities[0] >= 40


def test_one_layer_says_nothing_and_velocities_what_they_are():
    assert [one.velocity for one in read([f"horn_{note(key)}_v1.wav" for key in (60, 62)])] == [None, None]
    assert [one.velocity for one in read([f"piano_{note(key)}_v100.wav" for key in (60, 62)])] == [100, 100]
    assert [one.velocity for one in read(["soft piano C4.wav", "soft piano D4.wav"])] == [None, None]
    assert [one.velocity for one in read(["Felt Piano p C4.wav", "Felt Piano m C4.wav"])] == [46, 80]


def test_counters_are_layers_as_far_as_names_tell_and_say_so():
    said = read([f"A_0{key}__{note(key)}_{k}.wav" for key in (60, 62) for k in range(1, 6)])
    assert [one.velocity for one in said[:5]] == sorted({one.velocity for one in said})
    assert all(one.guessed for one in said)
    said = read(["HHClosed.wav", *(f"HHClosed#{k}.wav" for k in range(1, 8))])
    assert [one.velocity for one in said] == sorted({one.velocity for one in said})


def test_round_robins_are_no_layers():
    said = read([f"e2_vl{layer}_rr{k}.wav" for layer in (1, 2, 3) for k in (1, 2, 3)])
    assert [one.round_robin for one in said] == [1, 2, 3] * 3
    assert len({one.velocity for one in said}) == 3
    said = read([f"pizz_{note(48)}_{layer}{take}.wav" for layer in "pmf" for take in "abc"])
    assert [one.round_robin for one in said] == [1, 2, 3] * 3
    assert [one.velocity for one in said] == sorted(one.velocity for one in said)


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("45_A2_release.wav", "release"), ("Helpenstill RT A1.wav", "release"), ("db2_rel_rr1.wav", "release"),
        ("Felt Piano Release A6.wav", "release"), ("release/C4.wav", "release"), ("arco_noise_jumpy.wav", "noise"),
        ("pedal_down_1.wav", "noise"), ("noises/a.wav", "noise"), ("PedalOffForte1 C4.wav", "note"),
        ("Organ Pedal C2.wav", "note"), ("KeyUp C4.wav", "release"),
        ("hihat_pedal_1.wav", "note"),
        ("C4_rls.wav", "release"), ("keyupright C4.wav", "note"), ("art C4.wav", "note"), ("relaxed C4.wav", "note"),
    ],
)  # fmt: skip
def test_roles(name, role):
    (said,) = read([name])
    assert said.role == role


def test_articulations_and_microphones():
    names = ["tuba-stc-rr2-a#1.wav", "sus/x_C4.wav", "b0_ss_vl3_rr1_cnd.wav", "arco_c3_f_down.wav", "x_C4_Close.wav"]
    said = read(names)
    assert [one.articulation for one in said] == ["staccato", "sustain", "", "arco", ""]
    assert [one.microphone for one in said] == ["", "", "cnd", "", "close"]


def test_halves_are_pairs():
    said = read(["L_RR1_59_B2.wav", "R_RR1_59_B2.wav", "L_RR1_60_C3.wav", "organ_L.wav"])
    assert [one.half for one in said] == ["left", "right", "", ""]


@pytest.mark.parametrize(
    ("path", "drum"),
    [
        ("HihatClosed/20-HihatClosed-Tom1.flac", "closed hat"),
        ("KdrumL/10-KdrumL-Tom4.flac", "kick"),
        ("HHHalfOpen#2.flac", "open hat"),
        ("kickmic/kickmic_snare_center_vl3.flac", "snare"),
        ("Hi Hat/Edge Open Half/ZDJN_HAT_O1_HT_015_03.wav", "open hat"),
        ("Floor Tom/Centre/RGRS_FTOM_CNFL_HT_01.wav", "low tom"),
        ("hihatclosed_1.wav", "closed hat"),
        ("Cassa debole.wav", "kick"),
        ("BDrumNewhit_v1_rr1_Sum.wav", "kick"),
    ],
)
def test_drums(path, drum):
    assert read([path])[0].drum == drum


def test_instruments():
    assert range_of("Double Bass")[0] == "double bass"
    assert range_of("MOHorn")[0] == "horn"
    assert range_of("LDFlute_susvib")[0] == "flute"
    assert range_of("bass drum") is None
    assert range_of("sharp") is None
    assert best_shift(range(43, 80), range_of("violin")[1])[0] == 12


@pytest.mark.parametrize(
    ("path", "root", "instrument"),
    [
        ("string1/hard_45.wav", "Kay5StringBanjo", "kay5string banjo"),
        ("a0_sus_cnd.wav", "war tuba", "war tuba"),
        ("Keys/Upright Piano/Player_dyn1_rr1_004.wav", "VSCO", "upright piano"),
        ("LLVln_ArcoVib_A3_p.wav", "all", "violin"),
        ("violin/mellow/violin_Cs4_1_forte.wav", "x", "violin"),
        ("kazoo_C4.wav", "winds", "kazoo"),
        ("A0vH.flac", "upright-piano", "upright piano"),
    ],
)
def test_what_an_instrument_is_called(path, root, instrument):
    from pathlib import Path

    from antiphon.data.labelling.manifest import _from_names

    (said,) = read([path], root)
    assert _from_names(Path("/x") / root, Path("/x") / root / path, said)[0].instrument == instrument


@given(st.lists(st.text(max_size=30), max_size=12))
def test_any_names_are_read(names):
    said = read([f"x/{name.replace('/', '')}.wav" for name in names])
    assert len(said) == len(names)
    for one in said:
        assert one.pitch is None or 0 <= one.pitch <= 127
        assert one.velocity is None or 1 <= one.velocity <= 127
