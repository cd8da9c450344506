"""What real songs say beside their notes: system exclusive messages, banks, key maps, tunings, MPE zones, wrappers and
texts, each built here as programs and sound modules write it; and one line about what is not played as written."""

import struct
import warnings
from functools import reduce
from operator import xor
from types import SimpleNamespace

import mido
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from mido import Message, MetaMessage
from tunes import band, casting, cc, note, off, on, program, raw, rpn, save, wheel

from antiphon.core.errors import AntiphonError
from antiphon.music.casting import Player, cast
from antiphon.music.drums import KEY_MAPS, Drummer
from antiphon.music.midi import read_midi
from antiphon.music.player import stem_names
from antiphon.music.score import read_score
from antiphon.music.song import Song
from antiphon.music.sysex import BROKEN, EFFECTS, FOREIGN, Setting, decode
from antiphon.music.text import guess, readable

GM_ON, GM2_ON = (0x7E, 0x7F, 9, 1), (0x7E, 0x7F, 9, 3)
XG_ON = (0x43, 0x10, 0x4C, 0, 0, 0x7E, 0)
KICK, SNARE, HAT = 36, 38, 42


def ex(*data, time=0):
    return Message("sysex", data=data, time=time)


def gs(*address_and_data, time=0):
    body = tuple(address_and_data)
    return ex(0x41, 0x10, 0x42, 0x12, *body, -sum(body) & 127, time=time)


def xg(*address_and_data, time=0):
    return ex(0x43, 0x10, 0x4C, *address_and_data, time=time)


GS_RESET = gs(0x40, 0, 0x7F, 0)


def dump(which, *body):
    """A bulk dump of the MIDI Tuning Standard: its checksum is the exclusive or of all that comes before it."""
    data = (0x7E, 0, 8, which, *body)
    return ex(*data, reduce(xor, data) & 127)


@pytest.fixture
def song(tmp_path):
    """The song that these tracks of messages make; 480 ticks are half a second."""
    return lambda *tracks, **how: read_midi(save(tmp_path / "song.mid", *tracks, **how))


def beat(channel, strokes=4):
    """Kick and snare in turn."""
    return [m for i in range(strokes) for m in note((KICK, SNARE)[i % 2], 240, channel=channel)]


def kits(song):
    """{channel from 1: [keys]} of the drums."""
    return {part.channel + 1: [note.pitch for note in part.notes] for part in song.drums}


def melodic(song):
    """{channel from 1: program} of the melodic parts."""
    return {part.channel + 1: part.program for part in song.parts}


def sounds(song):
    """Pitches of all melodic notes as they begin, in order of time, bends applied."""
    players = band(Song(song.parts))
    notes = [(n.onset, player.note(i).pitch) for player in players for i, n in enumerate(player.part.notes)]
    return [pitch for _, pitch in sorted(notes)]


def remark(song):
    """What is not played as written, without the words that say so; "" if there is nothing."""
    said = [line for line in song.warnings if line.startswith("not played as written: ")]
    assert len(said) <= 1
    return said[0].removeprefix("not played as written: ") if said else ""


# ---- which channels are kits -----------------------------------------------------------------------------------------


def test_gs_makes_any_channel_a_kit(song):
    setup = [GS_RESET, gs(0x40, 0x11, 0x15, 1), gs(0x40, 0x1A, 0x15, 2)]
    made = song(setup, beat(0), [program(16, channel=10), *beat(10)], [program(73, channel=2), *note(60, channel=2)])
    assert kits(made) == {1: [KICK, SNARE] * 2, 11: [KICK, SNARE] * 2}
    assert made.drums[1].program == 16
    assert melodic(made) == {3: 73}
    assert not made.warnings


def test_gs_makes_channel_10_melodic_and_back(song):
    off_and_on = [GS_RESET, gs(0x40, 0x10, 0x15, 0), *beat(9, 1), gs(0x40, 0x10, 0x15, 1), *beat(9, 2)]
    made = song([off_and_on[0], off_and_on[1], program(4, 10, 9), *off_and_on[2:]])
    assert (melodic(made), kits(made)) == ({10: 4}, {10: [KICK, SNARE]})


def test_a_score_has_the_kits_that_are_played(tmp_path):
    setup = [GS_RESET, gs(0x40, 0x11, 0x15, 1), gs(0x40, 0x1A, 0x15, 2)]
    drums = beat(0), [program(16, channel=10), *beat(10)]
    score = read_score(save(tmp_path / "a.mid", setup, *drums, [program(73, channel=2), *note(60, channel=2)]))
    assert [(part.is_drum, part.program, len(part.notes)) for part in score.parts] == [
        (True, 0, 4), (True, 16, 4), (False, 73, 1),
    ]  # fmt: skip


def test_banks_mean_nothing_to_gs(song):
    """Where XG has its kits, GS has the sounds of an older module."""
    made = song([GS_RESET, cc(0, 127, 10, 4), program(0, channel=4), *beat(4)])
    assert (melodic(made), kits(made)) == ({5: 0}, {})
    assert "bank 127:0 on channel 5" in remark(made)


@pytest.mark.parametrize(
    ("reset", "bank", "kit"),
    [
        (XG_ON, 127, True), (XG_ON, 126, True), (XG_ON, 0, False), (XG_ON, 64, False),
        (GM2_ON, 120, True), (GM2_ON, 121, False), (GM2_ON, 127, False),
        (GM_ON, 127, False), (None, 127, True), (None, 120, True), (None, 126, False), (None, 8, False),
    ],
)  # fmt: skip
def test_kits_by_bank(song, reset, bank, kit):
    """A bank takes effect with the program change that follows."""
    setup = [ex(*reset)] if reset else []
    strokes = [cc(0, bank, 10, 4), cc(32, 0, 0, 4), *note(KICK, channel=4), program(0, channel=4), *beat(4)]
    made = song([*setup, *strokes])
    assert (5 in kits(made)) == kit
    assert [n.pitch for part in made.parts for n in part.notes][:1] == [KICK]
    again = song([*setup, *strokes, cc(0, 0, 0, 4), program(73, channel=4), *note(60, channel=4)])
    assert melodic(again)[5] == 73  # no longer a kit


def test_a_bank_can_make_channel_10_melodic(song):
    for reset, bank in ((XG_ON, 0), (GM2_ON, 121)):
        made = song([ex(*reset), cc(0, bank, 10, 9), program(48, channel=9), *beat(9)])
        assert (melodic(made), kits(made)) == ({10: 48}, {})
    for reset in (XG_ON, GM2_ON, GM_ON, None):
        assert list(kits(song([*([ex(*reset)] if reset else []), program(0, 10, 9), *beat(9)]))) == [10]


def test_xg_part_mode(song):
    made = song([ex(*XG_ON), xg(8, 10, 7, 2), program(0, 10, 10), *beat(10), xg(8, 9, 7, 0), *note(60, channel=9)])
    assert (list(kits(made)), melodic(made)) == ([11], {10: 0})


def test_what_is_exclusive_comes_before_all_else_of_its_tick(song):
    """As in songs whose tracks were merged, or whose settings stand in the last one."""
    volume, players = cc(7, 30, 0, 0), [program(40), *note(60)]
    for made in (
        song([volume, *players], [GS_RESET, gs(0x40, 0x11, 0x15, 1)]),
        song([volume, GS_RESET, gs(0x40, 0x11, 0x15, 1), *players], kind=0),
    ):
        assert kits(made) == {1: [60]}
        assert made.drums[0].program == 40
        assert made.drums[0].gain[-1][1] == pytest.approx((30 / 127) ** 2)


def test_ports(song):
    """Each is a module of its own; what a track says that names no port is meant for all of them."""
    port = MetaMessage("midi_port", port=2)
    shift, effect = gs(0x40, 0x11, 0x16, 52), gs(0x40, 1, 0x30, 4)
    made = song(
        [GS_RESET, gs(0x40, 0x1A, 0x15, 1), effect], [port, shift, *note(60), *beat(10)], [*note(60), *beat(10)]
    )
    assert sounds(made) == [48, 60]
    assert [part.channel for part in made.drums] == [10, 10]
    assert remark(made) == "1 effect setting"


def test_a_reset_resets(song):
    moved = [cc(7, 20), cc(10, 0), cc(11, 20), wheel(8191), *rpn(0, 12), *rpn(2, 70), program(40), *note(60)]
    for reset in (ex(*GM_ON), ex(*GM2_ON), ex(*XG_ON), GS_RESET, gs(0, 0, 0x7F, 1), xg(0, 0, 0x7F, 0)):
        made = song([*moved, reset, *note(60)])
        last = made.parts[-1]
        assert (last.program, last.notes[-1].pitch) == (0, 60)
        assert [steps[-1][1] for steps in (last.gain, last.pan, last.bend)] == [(100 / 127) ** 2, 0, 0]


# ---- what the keys of kits mean --------------------------------------------------------------------------------------


def test_the_orchestra_kit_has_timpani(song):
    for setup in ([GS_RESET], [ex(*GM2_ON)], []):
        made = song([*setup, program(48, 10, 9), *[m for key in range(40, 55) for m in note(key, channel=9)]])
        (timpani,) = made.parts
        assert (timpani.program, timpani.channel) == (47, 9)
        assert [n.pitch for n in timpani.notes] == list(range(41, 54))
        assert kits(made) == {10: [40, 54]}
        assert not made.warnings


def struck(part):
    """The drums that a part strikes, for a kit that has them all."""
    known = {stroke.drum for keys, _ in KEY_MAPS.values() for stroke in keys.values()}
    player = Drummer(part, object(), lambda drum: SimpleNamespace(shaping=tuple), 0, sorted(known))
    return [player.note(i).instrument for i in range(len(player.part.notes))], player


def test_other_key_maps(song):
    orchestra = song([program(48, channel=9), *[m for key in (27, 28, 29, 39, 59) for m in note(key, channel=9)]])
    names, player = struck(orchestra.drums[0])
    assert names == ["closed hat", "pedal hat", "open hat", "castanets", "crash"]
    assert (player.cut(0), player.cut(3)) == (0.5, np.inf)  # hats silence each other here too
    low = song([ex(*XG_ON), program(0, 10, 9), *[m for key in (13, 31, 33, 36, 42) for m in note(key, channel=9)]])
    assert struck(low.drums[0])[0] == ["muted surdo", "snare", "kick", "kick", "closed hat"]


def test_sound_effects_are_named(song):
    """Of the kit of effects eight keys are drums elsewhere; a warning of the kit would say the same again."""
    keys = [m for key in (39, 40, 52, 60) for m in note(key, channel=9)]
    made = song([GS_RESET, program(56, 10, 9), *keys])
    assert remark(made) == "2 strokes of kit 56 on channel 10"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert struck(made.drums[0])[0] == ["zap", "slap"]
    assert remark(song([GS_RESET, program(50, 10, 9), *keys])) == "4 strokes of kit 50 on channel 10"
    effects = song([ex(*XG_ON), cc(0, 126, 10, 3), program(1, channel=3), *note(KICK, channel=3)])
    assert remark(effects) == "1 stroke of kit 1 on channel 4"


# ---- pitch -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "pitches"),
    [
        (gs(0x40, 0x11, 0x16, 52), [48, 55]),  # key shift of a part
        (gs(0x40, 0, 5, 69), [65, 72]),  # and of all
        (gs(0x40, 0, 0, 0, 7, 14, 8), [61, 68]),  # master tune: 0x7E8 - 0x400 tenths of a cent
        (gs(0x40, 0x11, 0x40, 64 + 30), [60.3, 67]),  # a scale's C, of one part
        (gs(0x40, 0x11, 0x40, *[64] * 7, 64 - 20, *[64] * 4), [60, 66.8]),
        (gs(0x40, 0x11, 0x17, 8, 10), [60.06605, 67.04410]),  # 1 Hz higher
        (gs(0x40, 0x12, 0x16, 52), [60, 67]),  # another part's
        (xg(8, 0, 8, 0x40 - 5), [55, 62]),
        (xg(8, 0, 0x41 + 7, 64 + 25), [60, 67.25]),
        (xg(8, 0, 9, 8, 10), [60.06605, 67.04410]),
        (xg(0, 0, 6, 0x41), [61, 68]),
        (xg(0, 0, 0, 0, 3, 14, 8), [59.976, 66.976]),
        (ex(0x43, 0x10, 0x27, 0x30, 0, 0, 12, 0, 0), [60.5, 67.5]),  # 0xC0 of -100 .. 100 cents
        (ex(0x7F, 0x7F, 4, 3, 0, 0x50), [60.25, 67.25]),  # master fine tuning
        (ex(0x7F, 0x7F, 4, 4, 0, 62), [58, 65]),  # master coarse tuning
        (ex(0x7E, 0x7F, 8, 8, 0, 0, 1, *[64] * 7, 64 + 33, *[64] * 4), [60, 67.33]),  # scale of channel 1, 1 byte
        (ex(0x7F, 0x7F, 8, 8, 0, 0, 2, *[0] * 12), [60, 67]),  # of channel 2
        (ex(0x7F, 0, 8, 9, 3, 127, 127, 0x60, 0, *[0x40, 0] * 11), [60.5, 67]),  # 2 bytes
        (ex(0x7F, 0, 8, 2, 0, 2, 60, 61, 0x40, 0, 67, 127, 127, 127), [61.5, 67]),  # single notes, one left alone
        (ex(0x7E, 0, 8, 7, 0, 0, 1, 67, 60, 0, 64), [60, 60.00390625]),
        (dump(1, 0, *b"a name of 16....", *[b for key in range(128) for b in (key, 0x20, 0)]), [60.25, 67.25]),
        (dump(4, 0, 0, *b" " * 16, *[b for key in range(128) for b in (127 - key, 0, 0)]), [67, 60]),
        (dump(5, 0, 0, *b" " * 16, 74, *[64] * 11), [60.1, 67]),
        (dump(6, 0, 0, *b" " * 16, *[0x40, 0] * 7, 0x30, 0, *[0x40, 0] * 4), [60, 66.75]),
    ],
)  # fmt: skip
def test_tunings(song, message, pitches):
    """C and G on channel 1; drums are what they were."""
    made = song([message, *note(60), *note(67), *beat(9, 1)])
    assert sounds(made) == pytest.approx(pitches, abs=1e-4)
    assert kits(made) == {10: [KICK]}
    assert not made.warnings
    rest = song([message, ex(*GM_ON, time=10), *note(60), *note(67)])
    assert sounds(rest) == [60, 67]


def test_a_tuning_program_is_chosen_by_channel(song):
    tuning = ex(0x7E, 0, 8, 7, 2, 5, 1, 60, 72, 0, 0)  # of bank 2, program 5
    made = song([tuning, *note(60), *rpn(3, 5), *note(60), *rpn(4, 2), *note(60), *note(60, channel=1)])
    assert sounds(made) == [60, 60, 72, 60]


def test_scales_add_to_what_else_is_tuned(song):
    setup = [
        gs(0x40, 0x11, 0x40, 64 + 30),
        gs(0x40, 0x11, 0x16, 65),
        ex(0x7F, 0, 4, 4, 0, 65),
        *rpn(2, 65),
        *rpn(1, 96),
    ]
    assert sounds(song([*setup, *note(60)])) == pytest.approx([60.3 + 1 + 1 + 1 + 0.5])


def test_a_kit_keeps_its_keys_however_it_is_tuned(song):
    """Its own fine tuning tunes it; a transposed song must not turn its snares into toms."""
    made = song([*[m.copy(channel=9) for m in (*rpn(2, 69), *rpn(1, 80, 0))], ex(0x7F, 0, 4, 4, 0, 60), *beat(9, 2)])
    assert kits(made) == {10: [KICK + 0.25, SNARE + 0.25]}


def test_bend_ranges_by_address(song):
    for message in (gs(0x40, 0x21, 0x10, 0x4C), xg(8, 0, 0x23, 0x4C)):
        assert sounds(song([message, wheel(8191), *note(60)])) == [72]
    made = song([gs(0x40, 0x21, 4, 127), cc(1, 127), *note(60)])
    assert made.parts[0].vibrato[-1][1] == pytest.approx(6)


# ---- level, place, instrument ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "message", [ex(0x7F, 0x7F, 4, 1, 0x7F, 0x3F), gs(0x40, 0, 4, 63), xg(0, 0, 4, 63), ex(0x7F, 1, 4, 1, 0, 0x40)]
)
def test_master_volume(song, message):
    """Of all channels, from then on; a volume that is set later does not undo it."""
    made = song([*note(60, 480), message, *note(60, 480), cc(7, 127), *note(60, channel=3)])
    first, second = made.parts
    assert [level for _, level in first.gain] == pytest.approx([(100 / 127) ** 2, (100 / 127 / 2) ** 2, 0.25], rel=0.04)
    assert second.gain[-1] == pytest.approx((0.5, (100 / 127 / 2) ** 2), rel=0.04)


def test_parts_by_address(song):
    """A part's bank, program, volume and pan, of GS in one message and of XG in a dump."""
    made = song([gs(0x40, 0x12, 0x19, 50), gs(0x40, 0x12, 0x1C, 127), gs(0x40, 0x12, 0, 0, 40), *note(60, channel=1)])
    parameters = (8, 1, 1, 0, 0, 40, 1)
    counted = (0, 4, *parameters)
    xg_dump = ex(0x43, 0, 0x4C, *counted, -sum(counted) & 127)
    again = song([xg_dump, xg(8, 1, 0x0B, 50), xg(8, 1, 0x0E, 127), *note(60, channel=1)])
    for part in (*made.parts, *again.parts):
        assert (part.program, part.channel) == (40, 1)
        assert (part.gain[-1][1], part.pan[-1][1]) == pytest.approx(((50 / 127) ** 2, 1))
    assert not made.warnings + again.warnings


def test_nrpn_and_registered_parameters_do_not_mix(song):
    made = song([cc(99, 1), cc(98, 8), cc(6, 70), cc(38, 0), *rpn(0, 12), wheel(8191), *note(60)])
    assert sounds(made) == [72]
    assert remark(made) == "1 NRPN setting"


# ---- MPE -------------------------------------------------------------------------------------------------------------


def zone(leader, members):
    return [cc(101, 0, 0, leader), cc(100, 6, 0, leader), cc(6, members, 0, leader)]


def test_a_zone_bends_by_four_octaves(song):
    bent = [wheel(341, 0, 1), *note(60, channel=1), wheel(0, 0, 1), *note(60, channel=1), wheel(341, 0, 12)]
    made = song([*zone(0, 11), *bent, *note(60, channel=12)])
    assert sounds(made) == pytest.approx([62, 60, 60 + 2 * 341 / 8191], abs=0.01)  # channel 13 is not of the zone


def test_a_zones_leader_speaks_for_all(song):
    """Program, volume, bend (by its own range), tuning and pedal; channel 10 is a member like others."""
    leader = [program(73), cc(7, 127), wheel(8191), *rpn(2, 65), cc(64, 127), cc(91, 40)]
    made = song([*zone(0, 15), *leader, on(60, 0, 90, 9), off(60, 480, 9), cc(64, 0, 480), *note(62, channel=3)])
    assert {(part.program, part.channel, part.gain[-1][1]) for part in made.parts} == {(73, 0, 1.0)}
    assert sounds(made) == [60 + 1 + 2, 62 + 1 + 2]
    assert [part.notes[0].seconds for part in made.parts] == [1.0, 0.5]
    assert not made.drums
    assert remark(made) == "1 reverb message"
    assert len({player.seed for player in band(made)}) == 1  # one instrument, whatever the channel
    assert set(stem_names(band(made)).values()) == {"01-01"}


def test_members_share_a_range_and_zones_end(song):
    ranged = [cc(101, 0, 0, 1), cc(100, 0, 0, 1), cc(6, 24, 0, 1)]
    made = song([*zone(0, 3), *ranged, wheel(8191, 0, 2), *note(60, channel=2), *zone(0, 0), *note(60, channel=2)])
    assert sounds(made) == [84, 62]
    early = song([program(40), program(9, channel=1), *zone(0, 2), *note(60, channel=2), *note(60, channel=1)])
    assert [part.program for part in early.parts] == [40, 9]  # the leader's, unless a member has its own
    upper = song([*zone(15, 5), *zone(0, 12), wheel(8191, 0, 13), wheel(8191, 0, 11), *note(60, channel=13)])
    assert sounds(upper) == [108]  # channel 14 stays the upper zone's
    shrunk = song([*zone(15, 5), *zone(0, 12), wheel(4096, 0, 11), *note(60, channel=11), *zone(0, 0), *beat(9, 1)])
    assert sounds(shrunk) == pytest.approx([84], abs=0.01)
    assert list(kits(shrunk)) == [10]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from([0, 15]), st.integers(0, 20), st.integers(0, 15), st.booleans()), max_size=8))
def test_zones_come_and_go(tmp_path, drawn):
    """Whatever they take of each other, every channel can be played, and after a reset all are themselves again."""
    track = []
    for leader, members, channel, reset in drawn:
        ranged = [m.copy(channel=channel) for m in rpn(0, 12)]
        track += [*zone(leader, members), *([ex(*GM_ON)] if reset else []), *ranged, wheel(8191, 0, channel)]
        track += note(60, 48, channel)
    last = [m for channel in range(16) for m in note(60, 48, channel)]
    made = read_midi(save(tmp_path / "a.mid", [*track, ex(*GM_ON), *last]))
    assert sum(len(part.notes) for part in made.parts + made.drums) == len(drawn) + 16
    last = [(part.channel, bool(part.kit)) for part in made.parts + made.drums for n in part.notes
            if n.onset > len(drawn) * 0.05 - 0.001]  # fmt: skip
    assert sorted(last) == [(channel, channel == 9) for channel in range(16)]


# ---- wrappers and texts ----------------------------------------------------------------------------------------------


def chunk(name, data, pad=True):
    return name + struct.pack("<L", len(data)) + data + b"\0" * (len(data) % 2 * pad)


def test_a_song_anywhere_in_a_riff_file(tmp_path):
    data = save(tmp_path / "a.mid", [m for key in range(60, 68) for m in note(key, 240)]).read_bytes()
    info = chunk(b"LIST", b"INFO" + chunk(b"ICMT", b"c" * 1501, pad=False))
    bank = chunk(b"RIFF", b"DLS " + bytes(5_000_001))
    display, song_ = chunk(b"DISP", b"\1\0\0\0odd"), chunk(b"data", data + b"\0" * (len(data) % 2))
    for chunks in ([info, song_, bank], [bank, song_], [info, display, bank, song_, info], [song_], [display, song_]):
        (tmp_path / "b.rmi").write_bytes(chunk(b"RIFF", b"RMID" + b"".join(chunks)))
        made = read_midi(tmp_path / "b.rmi")
        assert [n.pitch for n in made.parts[0].notes] == list(range(60, 68))
        assert ("the file's own sounds (5,001 kB)" in remark(made)) == (bank in chunks)
    (tmp_path / "b.rmi").write_bytes(
        b"RIFF\0\0\0\0RMIDLIST\xff\xff\xff\x7f" + bytes(3000) + data
    )  # sizes that are wrong
    assert len(read_midi(tmp_path / "b.rmi").parts[0].notes) == 8
    (tmp_path / "b.rmi").write_bytes(chunk(b"RIFF", b"WAVE" + chunk(b"data", bytes(5000))))
    with pytest.raises(AntiphonError, match="not a MIDI file"):
        read_midi(tmp_path / "b.rmi")


@pytest.mark.parametrize(
    ("encoding", "names"),
    [
        ("cp932", ["ベース", "ピアノ", "演奏", "ドラム １"]),
        ("cp932", ["ﾄﾞﾗﾑ", "ﾋﾟｱﾉ", "表現"]),
        ("cp1252", ["Flûte à bec", "Für Elise – Klavier", "Señor", "Bébé", "Café", "© 1999", "Trompète", "Hörner"]),
        ("cp1251", ["Пианино", "БАС", "Скрипка соло", "Ударные", "Ёлка"]),
        ("utf-8", ["ベース", "Пианино", "Flûte", "🎹 Keys"]),
        ("utf-16", ["ピアノ", "Flöte"]),
    ],
)
def test_names_in_any_encoding(tmp_path, encoding, names):
    """As they are in stems' names, and reached by --map."""
    tracks = [[*meta(3, name.encode(encoding)), *b"\0\x90\x3c\x40\x60\x80\x3c\0"] for name in names]
    made = read_midi(raw(tmp_path / "a.mid", *map(bytes, tracks)))
    assert [part.name for part in made.parts] == names
    for number, (bus, name) in enumerate(zip(stem_names(band(made)).values(), names, strict=True), 1):
        assert bus == f"{number:02d}-01 {name}"
        assert sum(p.character.name == "program 9" for p in band(made, mapping={name: 9})) >= 1


@pytest.mark.parametrize("name", ["Flûte", "été", "à", "Größe", "Señor", "naïve café", "D’Artagnan", "Rock’n’Roll"])
def test_a_single_western_name(name):
    raw_name = name.encode("cp1252")
    assert readable(raw_name, guess([raw_name])) == name


@pytest.mark.parametrize(
    ("name", "encoding"),
    [("ベース", "cp932"), ("弦楽器", "cp932"), ("ギター（左）", "cp932"), ("Гитара", "cp1251"), ("бас", "cp1251")],
)
def test_a_single_name(name, encoding):
    assert guess([name.encode(encoding)]) == encoding


def test_names_are_reached_however_they_are_typed(tmp_path):
    """Some keyboards compose letters of two, and half-width kana are the same to who types them."""
    names = ("FLU\u0302TE", "STRASSE", "ﾄﾞﾗﾑ")
    path = raw(tmp_path / "a.mid", *(meta(3, name.encode()) + b"\0\x90\x3c\x40\x60\x80\x3c\0" for name in names))
    for typed, track in (("fl\xfbte", 0), ("flu\u0302te", 0), ("stra\xdfe", 1), ("ドラム", 2)):
        (player,) = [p for p in band(read_midi(path), mapping={typed: 9}) if p.character.name == "program 9"]
        assert player.part.track == track


@settings(max_examples=300, deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=5))
def test_any_bytes_are_a_name(texts):
    for text in texts:
        shown = readable(text, guess(texts))
        assert shown.isprintable()
        assert len(shown) <= 80


def meta(kind, data):
    return b"\0\xff" + bytes([kind, len(data)]) + data


def test_karaoke(tmp_path):
    """A title is what a track is called that has no name; words are no notes."""
    head = (
        meta(1, b"@KMIDI KARAOKE FILE")
        + meta(1, b"@V0100")
        + meta(1, b"@LENGL")
        + meta(1, b"@TMy Song")
        + meta(1, b"@TMe")
    )
    words = b"".join(meta(1, word) for word in (b"\\La", b" la", b"/l\xe0", b"")) + meta(5, b"la\r")
    keys = b"\0\x90\x3c\x40\x60\x80\x3c\0"
    made = read_midi(raw(tmp_path / "a.kar", head + words + keys, meta(3, b"Melody") + words + keys, words + keys))
    assert [part.name for part in made.parts] == ["My Song", "Melody", ""]
    assert not made.warnings


def test_names_of_channels_and_instruments(tmp_path):
    """Some programs name the channels of a single track behind a prefix, or a track by its instrument only."""
    prefixed = b"".join(meta(0x20, bytes([c])) + meta(3, name) for c, name in enumerate((b"Piano", b"Bass")))
    keys = b"".join(bytes([0, 0x90 | c, 60, 64, 0x60, 0x80 | c, 60, 0]) for c in range(3))
    made = read_midi(raw(tmp_path / "a.mid", meta(3, b"All") + prefixed + keys, meta(4, b"Organ") + keys[:8]))
    assert [part.name for part in made.parts] == ["Piano", "Bass", "All", "Organ"]


# ---- saying it oneself -----------------------------------------------------------------------------------------------


def drummer(part, seed):
    player = Player(part, casting(0, 0), seed)
    player.word = "drums"
    return player


def test_a_part_is_made_a_kit_or_an_instrument(song):
    made = song([program(25), *beat(0)], [MetaMessage("track_name", name="Perc"), *beat(9)], [*note(60, channel=2)])

    def played(**mapping):
        players = cast(made, casting, mapping=mapping, drummer=drummer)
        return {p.part.channel + 1: (p.word or p.character.name, p.part.program) for p in players}

    assert played() == {1: ("program 25", 25), 10: ("drums", 0), 3: ("program 0", 0)}
    assert played(**{"1": "kit"}) == {1: ("drums", 0), 10: ("drums", 0), 3: ("program 0", 0)}
    assert played(t1=" Kit ", perc=7) == {1: ("drums", 0), 10: ("program 7", 0), 3: ("program 0", 0)}
    with pytest.raises(AntiphonError, match=r"no part matches '11': .*t2 \(Perc\) on channel 10, drums"):
        played(**{"11": "kit"})
    with pytest.raises(AntiphonError, match="no kit to play channel 1: add one with --kit"):
        cast(made, casting, mapping={"1": "kit"})


def test_a_track_that_is_called_drums_and_plays_a_piano(song):
    """Programs that export drums on any channel leave nothing but the name."""
    named = [[MetaMessage("track_name", name=name), *beat(0)] for name in ("Drum Kit", "Drumming song", "Percussion")]
    made = song(*named, [MetaMessage("track_name", name="Steel drums"), program(114, channel=2), *beat(2)])
    with pytest.warns(UserWarning, match=r"^t1 \(Drum Kit\), t3 \(Percussion\) on a piano: .* --map t1=kit,t3=kit$"):
        band(made)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cast(made, casting, mapping={"t1": "kit", "t3": 12}, drummer=drummer)


def test_an_unplayed_kit_names_its_channels(song):
    made = song([GS_RESET, gs(0x40, 0x1A, 0x15, 1), *note(60), *beat(9), *beat(10)])
    with pytest.warns(UserWarning, match=r"channels 10, 11 \(drums\) are skipped"):
        band(made)


# ---- what is not played ----------------------------------------------------------------------------------------------


def test_one_line_names_what_is_not_played(song):
    made = song([
        gs(0x40, 1, 0x30, 4), gs(0x40, 3, 0, 1, 0), xg(2, 1, 0, 1, 0), xg(0x30, 36, 2, 90), gs(0x41, 2, 36, 90),
        gs(0x40, 0x11, 0x30, 70), gs(0x40, 0x11, 2, 3), ex(0x7E, 0, 6, 1), ex(0x7F, 0, 6, 2), gs(0x40, 1, 0, 65),
        ex(0x41, 0x10, 0x45, 0x12, 0x10, 0, 0, 65, 47), xg(7, 0, 0, 1), ex(0x42, 0x30, 1), cc(65, 127), cc(5, 9),
        cc(84, 60), cc(65, 0), cc(91, 40), cc(91, 0), cc(74, 64), wheel(9), wheel(9, 0, 9), wheel(0, 0, 9), *note(60),
    ])  # fmt: skip
    said = remark(made)
    for words in ("3 effect settings", "2 edits of single drums", "2 portamento messages", "1 reverb message,",
                  "1 sound edit,", "1 part moved to another channel", "1 SysEx message for other devices",
                  "1 pitch bend of drums"):  # fmt: skip
        assert words in said + ","
    assert "broken" not in said
    assert "controller" not in said


def test_bad_messages_are_counted_and_change_nothing(song, tmp_path):
    shift = gs(0x40, 0x11, 0x16, 52).data
    bad = [
        (*shift[:-1], shift[-1] ^ 1),
        shift[:6],
        (0x7E, 0, 8, 1, 0, *[64] * 300),
        (0x7F, 0, 4, 1),
        (0x43, 0, 0x4C, 1),
    ]
    bad.append((*dump(5, 0, 0, *b" " * 16, 74, *[64] * 11).data[:-1], 1))
    made = song([*[ex(*data) for data in bad], *note(60)])
    assert sounds(made) == [60]
    assert remark(made) == f"{len(bad)} broken SysEx messages"
    huge = b"\0\xf0" + b"\x81\xc0\x00" + b"\x7e" * 0x6000  # no end, and longer than any
    assert sounds(read_midi(raw(tmp_path / "a.mid", huge + b"\0\x90\x3c\x40\x60\x80\x3c\0"))) == [60]


def test_messages_in_pieces_and_without_an_end(tmp_path):
    shift = bytes(gs(0x40, 0x11, 0x16, 52).data)
    keys = b"\0\x90\x3c\x40\x60\x80\x3c\0"
    pieces = [
        b"\0\xf0\4" + shift[:4] + b"\5\xf7\3" + shift[4:7] + b"\0\xf7" + bytes([len(shift) - 6]) + shift[7:] + b"\xf7",
        b"\0\xf0" + bytes([len(shift)]) + shift,  # its 0xF7 forgotten
        b"\0\xf7" + bytes([len(shift) + 2]) + b"\xf0" + shift + b"\xf7",  # written as it is sent
    ]  # fmt: skip
    for piece in pieces:
        made = read_midi(raw(tmp_path / "a.mid", piece + keys))
        assert (sounds(made), made.warnings) == ([48], ())


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=420) | st.lists(st.integers(0, 127), max_size=60).map(bytes))
@example(b"")
@example(b"\x7e")
@example(b"\x43\x00\x4c\x00\x00\x00\x00\x00\x00")
def test_any_bytes_are_settings(data):
    assert all(isinstance(setting, Setting) for setting in decode(data))


HEADS = ([0x7E, 0, 8], [0x7F, 0], [0x41, 16, 0x42, 0x12], [0x43, 16, 0x4C], [0x43, 0, 0x4C], [0x7E, 0, 9])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.sampled_from(HEADS), st.lists(st.integers(0, 127), max_size=30), st.booleans()), max_size=6)
)
def test_any_messages_leave_a_song(tmp_path, drawn):
    """Nearly right messages, with checksums that fit, among notes: a song that can be played."""
    messages = [ex(*head, *body, *([-sum(body) & 127] if summed else [])) for head, body, summed in drawn]
    made = read_midi(
        save(tmp_path / "a.mid", [m for one in messages for m in (one, wheel(4000), *note(60), *beat(9, 1))] + note(60))
    )
    assert sum(len(part.notes) for part in made.parts + made.drums) == 2 * len(messages) + 1
    for part in made.parts + made.drums:
        assert all(0 <= n.pitch <= 127 for n in part.notes)
        assert all(0 <= value <= 1 for _, value in part.gain)
        assert all(part.bend[i][0] <= part.bend[i + 1][0] for i in range(len(part.bend) - 1))


def test_known_kinds():
    assert decode(bytes((0x41, 0x10, 0x16, 0x12, 1))) == [Setting("unplayed", FOREIGN)]
    assert decode(bytes(XG_ON)) == decode(bytes(XG_ON) + b"\xf7") == [Setting("reset", "xg")]
    assert decode(b"\x7e\xff") == [Setting("unplayed", BROKEN)]
    assert decode(bytes((0x7F, 0, 4, 5, 1, 1, 1, 1, 1))) == [Setting("unplayed", EFFECTS)]


def test_what_passes_must_stay(tmp_path):
    """Bend ranges of cents, tempi in a second track, running status behind texts, a note on before its note off."""
    cents = [m for m in rpn(0, 0, 50)]
    tuned = [
        *note(69),
        wheel(8191),
        *note(69),
        wheel(0),
        *rpn(1, 96, 0),
        *note(60),
        *rpn(0, 12, 0),
        wheel(8191),
        *note(60),
    ]
    assert sounds(read_midi(save(tmp_path / "a.mid", [*cents, *tuned]))) == [69, 69.5, 60.5, 72.5]
    tempi = [MetaMessage("set_tempo", tempo=1_000_000), *[m for _ in range(4) for m in note(48, 480, 1)],
             MetaMessage("set_tempo", tempo=250_000), *[m for _ in range(4) for m in note(48, 480, 1)]]  # fmt: skip
    made = read_midi(save(tmp_path / "b.mid", [m for key in range(8) for m in note(60 + key)], tempi))
    assert [n.onset for n in made.parts[0].notes] == [0, 1, 2, 3, 4, 4.25, 4.5, 4.75]
    body = b"\0\x90\x47\x5c\x81\x70\xff\x01\x02%+\x81\x70\x47\0\0\x43\x5c\x83\x60\xff\x01\x01x\0\x43\0\0\xff\x2f\0"
    running = read_midi(raw(tmp_path / "c.mid", body)).parts[0].notes
    assert [(n.pitch, n.onset) for n in running] == [(71, 0), (67, 0.5)]
    same = [on(60), *[m for _ in range(3) for m in (on(60, 480), off(60, 0))], off(60, 480)]
    assert [(n.onset, n.seconds) for n in read_midi(save(tmp_path / "d.mid", same)).parts[0].notes] == [
        (0.5 * i, 0.5) for i in range(4)
    ]
    assert isinstance(made, Song)
    assert mido.MidiFile(tmp_path / "b.mid").length == pytest.approx(5)
