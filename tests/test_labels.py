"""File and folder names to labels."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.core.errors import AntiphonError
from antiphon.data.labelling import gm
from antiphon.data.labelling.labels import parse_folder, parse_name, parse_pitch


@pytest.mark.parametrize(
    ("stem", "pitch", "velocity", "instrument"),
    [
        ("bass_synthetic_033-050-075", 50, 75, "bass"),
        ("cello_As4_1_forte_arco-normal", 70, 94, "cello"),
        ("cello_A4_1_piano_arco", 69, 46, "cello"),
        ("Violin.arco.ff.sulG.C5", 72, 110, "violin"),
        ("Piano.mf.Db3", 49, 76, "piano"),
        ("Piano.pp.C4", 60, 32, "piano"),
        ("PianoC4", 60, None, "piano"),
        ("viola_D#3_025_forte_normal", 51, 94, "viola"),
        ("trumpet A♭4 ff", 68, 110, "trumpet"),
        ("Horn-Bb2-mp_rr1", 46, 60, "horn"),
        ("Yamaha_C7_A4", 69, None, "yamaha"),
        ("kick_440Hz", 69, None, "kick"),
        ("midi60", 60, None, None),
        ("060-v041", 60, 41, None),
        ("C-1", 0, None, None),
        ("sax_03_C4", 60, None, "sax"),
        ("take_01", None, None, None),
        ("alto sax vel100 f#4", 66, 100, "alto sax"),
    ],
)
def test_names_of_sample_libraries(stem, pitch, velocity, instrument):
    label = parse_name(stem)
    assert (label.pitch, label.velocity) == (pitch, velocity)
    assert label.instrument == instrument or (stem == "C-1")


@pytest.mark.parametrize(
    ("spelling", "pitch"),
    [("A#4", 70), ("Bb4", 70), ("As4", 70), ("Ais4", 70), ("Bes4", 70), ("Es4", 63), ("Ees4", 63), ("Asharp4", 70),
     ("Bflat4", 70), ("B♭4", 70), ("c-1", 0), ("G9", 127), ("60.5", 60.5), (" 61 ", 61), ("Cb4", 59), ("H3", 59)],
)  # fmt: skip
def test_spellings_of_a_pitch(spelling, pitch):
    assert parse_pitch(spelling) == pitch


@pytest.mark.parametrize("text", ["", "X4", "C", "128", "-1", "nan", "inf", "A#b4", "1e9"])
def test_what_is_no_pitch(text):
    with pytest.raises(AntiphonError):
        parse_pitch(text)


@given(st.integers(0, 127), st.sampled_from(["{}", "violin_{}_ff", "x.{}.y", "take2-{}"]))
def test_every_midi_note_survives_its_name(pitch, pattern):
    sharp = "C C# D D# E F F# G G# A A# B".split()[pitch % 12] + str(pitch // 12 - 1)  # noqa: SIM905
    assert parse_name(pattern.format(sharp)).pitch == pitch


@given(st.text(max_size=40))
def test_any_name_is_parsed(stem):
    label = parse_name(stem)
    assert label.pitch is None or 0 <= label.pitch <= 127 or math.isnan(label.pitch)
    assert label.velocity is None or 1 <= label.velocity <= 127
    parse_folder(stem)


def test_runs_of_notes_are_seen():
    assert parse_name("Flute.nonvib.mf.B3B4").several
    assert not parse_name("Flute.nonvib.mf.B4").several


def test_folders():
    assert parse_folder("violin_pizz") == ("violin", ("plucked",))
    assert parse_folder("Muted Trumpet") == ("muted trumpet", ("muted",))
    assert parse_folder("03 Cello")[0] == "cello"
    assert parse_folder("ff")[0] is parse_folder("samples")[0] is None


def test_general_midi():
    assert len(set(gm.PROGRAMS)) == 128
    assert len(gm.FAMILIES) == 16
    assert gm.program_of("Violin") == gm.program_of(40) == gm.program_of("40") == 40
    assert gm.program_of("Alto Saxophone") == 65
    assert gm.family_of(40) == "strings"
    assert gm.programs_of("organ")[0] == "drawbar organ"
    assert set(gm.ALIASES.values()) <= set(gm.PROGRAMS)
    for program in range(128):
        low, high = gm.key_range(program)
        assert 24 <= low < high <= 108
        assert gm.styles_of(program)
    assert "driven" in gm.styles_of(27, "Overdrive Special")
    with pytest.raises(AntiphonError, match="did you mean"):
        gm.program_of("vioiln")
    with pytest.raises(AntiphonError):
        gm.program_of(128)
