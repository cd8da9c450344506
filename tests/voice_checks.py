"""What every voice promises, whatever its kind: `check_voice(path_or_voice)`, in the spirit of scikit-learn's
`check_estimator`. Each check is a function of a voice as it was loaded from a file, that file, and an empty folder."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import antiphon
from antiphon.audio.files import read_audio
from antiphon.core.errors import AntiphonError
from antiphon.core.note import Note
from antiphon.voices.capabilities import Encodes, Imagines, PlaysNotes, Streams, Transforms
from antiphon.voices.checkpoint import KEY, load_voice, read_tensors, save_voice
from antiphon.voices.find import find
from antiphon.voices.kind import kind_of, kinds
from antiphon.voices.styled import STYLE_SAMPLES
from antiphon.voices.voice import Voice

ALONE = 3e-3  # of a sound's peak, at most, by which a batch may change it: measured 7e-4 at most, 1e-6 of gm
UNTRAINED, TRAINED = (1e-5, 100.0), (1e-3, 2.0)  # a sound's peak; weights drawn at random may mean any level
RING = 4.5  # seconds after its release in which a sound has died away


# ---- what a voice can do: the one place that asks --------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Can:
    """plays: notes. pitched: to be told a pitch. imagines: a style vector from noise. encodes: hears recordings, moves
    a style vector as a seed does, and what lies between two of them is a sound. transforms: sound into sound. streams:
    notes whose release comes later."""

    plays: bool
    pitched: bool
    imagines: bool
    encodes: bool
    transforms: bool
    streams: bool


def can(voice: Voice) -> Can:
    return Can(
        plays=isinstance(voice, PlaysNotes),
        pitched=voice.pitched,
        imagines=isinstance(voice, Imagines),
        encodes=isinstance(voice, Encodes),
        transforms=isinstance(voice, Transforms),
        streams=isinstance(voice, Streams),
    )


# ---- the checks ------------------------------------------------------------------------------------------------------

Check = Callable[[Voice, Path, Path], None]  # of a voice, its file, an empty folder
ALL_CHECKS: list[Check] = []
NEEDS: dict[Check, tuple[str, ...]] = {}


def check(*needs: str) -> Callable[[Check], Check]:
    """Add a check to ALL_CHECKS, for voices that can do all that it needs."""

    def add(function: Check) -> Check:
        ALL_CHECKS.append(function)
        NEEDS[function] = needs
        return function

    return add


def applies(function: Check, voice: Voice) -> bool:
    return all(getattr(can(voice), need) for need in NEEDS[function])


def check_voice(voice: str | Path | Voice, folder: Path) -> int:
    """Every check that applies. voice: a name, a file or a voice, which is then written to a file; folder: an empty
    one. -> how many did"""
    if isinstance(voice, Voice):
        save_voice(folder / "voice.safetensors", voice.model, voice.info)
        voice = folder / "voice.safetensors"
    path, done = find(voice), 0
    for function in ALL_CHECKS:
        loaded = load_voice(path)
        if applies(function, loaded):
            (folder / function.__name__).mkdir()
            function(loaded, path, folder / function.__name__)
            done += 1
    return done


def refused(call: Callable[[], Any]) -> str:
    """The one line with which something is refused."""
    with pytest.raises(AntiphonError) as error:
        call()
    text = str(error.value)
    assert text.strip(), "a refusal says nothing"
    assert "\n" not in text
    assert len(text) < 1000
    return text


def some_notes(voice: Voice, count: int = 3) -> list[Note]:
    """Different in all that a note has."""
    return [
        Note(
            pitch=52 + 5 * i,
            seconds=0.05 + 0.06 * i,
            velocity=50 + 30 * i % 77,
            instrument=voice.instruments[i % len(voice.instruments)],
            seed=i,
            take=3 * i,
            bend=((0.0, 0.0), (0.04, 0.3)) if i % 2 else (),
        )
        for i in range(count)
    ]


def styled(voice: Voice, label: str) -> tuple[str, ...]:
    """Style words that were met with a label, if any."""
    met = voice.info.styles_of.get(label, [])
    return met[0][0] if met else ()


# ---- files -----------------------------------------------------------------------------------------------------------


@check()
def check_it_says_what_it_is(voice: Voice, path: Path, folder: Path) -> None:
    assert kind_of(voice.model) == voice.kind
    assert type(voice) is kinds()[voice.kind].voice
    assert isinstance(voice.instruments, tuple)
    assert isinstance(voice.styles, tuple)
    assert all(isinstance(name, str) and name for name in (*voice.instruments, *voice.styles))
    assert len(set(voice.instruments)) == len(voice.instruments) >= 1
    assert isinstance(voice.sample_rate, int)
    json.dumps(dataclasses.asdict(voice.info))
    assert all(not weight.requires_grad for weight in voice.model.parameters())
    assert not voice.model.training


@check()
def check_written_and_read_again_it_is_the_same_bytes(voice: Voice, path: Path, folder: Path) -> None:
    for name in ("once", "twice"):
        save_voice(folder / name, voice.model, voice.info)
        again = load_voice(folder / name)
        assert again.info == voice.info
        assert (again.instruments, again.styles) == (voice.instruments, voice.styles)
        voice = again
    assert (folder / "once").read_bytes() == (folder / "twice").read_bytes()
    tensors, meta = read_tensors(folder / "once")
    weights = {name for name, _ in voice.model.named_parameters()}
    for name, value in voice.model.state_dict().items():  # what is no weight is kept as exactly as it was
        assert tensors[name].dtype == (torch.float16 if name in weights else value.dtype), name
    written, told = read_tensors(path)
    assert tensors.keys() == written.keys()
    assert all(torch.equal(tensors[k], written[k]) and tensors[k].dtype == written[k].dtype for k in written)
    assert all(meta[k] == told[k] for k in ("format", "kind", "config"))
    assert meta["labels"] | told["labels"] == meta["labels"]  # a file of before may say less


WRONG: list[Any] = [-1, -(1 << 40), 1 << 40, 1e300, -1e300, float("nan"), None, "8", [], {}, [8]]
WRONG_TYPE: dict[type, list[Any]] = {int: [True, 8.5, 8.0], float: [True, 8], bool: [0, 1, "yes"], str: [0, True, ""]}


def _numbers_in(table: Any, way: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every field of a configuration that is no table itself, by the way to it."""
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _numbers_in(value, (*way, name))
        else:
            yield (*way, name), value


def _with(table: dict[str, Any], way: Sequence[str], value: Any) -> dict[str, Any]:
    """The same with another value at the end of the way."""
    first, *rest = way
    return table | {first: _with(table[first], rest, value) if rest else value}


def _refused_file(folder: Path, tensors: Any, meta: Any) -> None:
    save_file(tensors, folder / "lie.safetensors", {KEY: json.dumps(meta)})
    text = refused(lambda: load_voice(folder / "lie.safetensors"))
    assert "lie.safetensors" in text


@check()
def check_a_lie_in_its_configuration_is_refused(voice: Voice, path: Path, folder: Path) -> None:
    """Each field with each wrong value, and each left out."""
    tensors, meta = read_tensors(path)
    fields = list(_numbers_in(meta["config"]))
    assert fields
    for way, value in fields:
        fitting = [x for x in WRONG_TYPE[type(value)] if type(x) is not type(value) or not x]
        for wrong in [*WRONG, *fitting]:
            config = _with(meta["config"], way, wrong)
            try:
                _refused_file(folder, tensors, meta | {"config": config})
            except BaseException as error:
                error.add_note(f"{'.'.join(way)} = {wrong!r}")
                raise
        short = {k: v for k, v in meta["config"].items() if k != way[0]}
        _refused_file(folder, tensors, meta | {"config": short})
    for config in (meta["config"] | {"surprise": 1}, {}, [], None, 3, "config"):
        _refused_file(folder, tensors, meta | {"config": config})


@check()
def check_a_lie_in_its_labels_is_refused(voice: Voice, path: Path, folder: Path) -> None:
    tensors, meta = read_tensors(path)
    labels = meta["labels"]
    wrong_names: list[Any] = [None, 3, "names", {}, [1], [None], [""], [["a"]], ["a", "a"], ["x" * 100_000], [True]]
    for table in ("instruments", "styles"):
        for names in wrong_names:
            _refused_file(folder, tensors, meta | {"labels": labels | {table: names}})
        without = {k: v for k, v in labels.items() if k != table}
        _refused_file(folder, tensors, meta | {"labels": without})
    _refused_file(folder, tensors, meta | {"labels": labels | {"instruments": []}})
    for names in (None, [], 7, "labels"):
        _refused_file(folder, tensors, meta | {"labels": names})


@check("imagines")
def check_labels_that_its_weights_do_not_know_are_refused(voice: Voice, path: Path, folder: Path) -> None:
    tensors, meta = read_tensors(path)
    for table in ("instruments", "styles"):
        names = meta["labels"][table]
        for wrong in ([*names, "one more"], names[:-1]):
            if wrong != names:
                _refused_file(folder, tensors, meta | {"labels": meta["labels"] | {table: wrong}})


@check()
def check_other_kinds_and_weights_are_refused(voice: Voice, path: Path, folder: Path) -> None:
    tensors, meta = read_tensors(path)
    for other in [*(kinds().keys() - {voice.kind}), "no such kind", 3, None, []]:
        _refused_file(folder, tensors, meta | {"kind": other})
    _refused_file(folder, tensors, meta | {"format": 99})
    for needed in ("format", "kind", "config", "labels"):
        _refused_file(folder, tensors, {k: v for k, v in meta.items() if k != needed})
    name = max(tensors, key=lambda k: tensors[k].numel())
    largest = tensors[name]
    for wrong in (largest.flatten(), largest[:-1], largest * float("nan"), largest + float("inf"), largest.long()):
        _refused_file(folder, tensors | {name: wrong.contiguous()}, meta)
    _refused_file(folder, tensors | {"extra": torch.zeros(3)}, meta)
    _refused_file(folder, {k: v for k, v in tensors.items() if k != name}, meta)


@check()
def check_before_its_first_step_it_is_another(voice: Voice, path: Path, folder: Path) -> None:
    """`untrained`: the same networks and labels with weights of the seed's; no one else's random numbers are used."""
    before = torch.get_rng_state()
    fresh, again, other = voice.untrained(3), voice.untrained(3), voice.untrained(4)
    assert torch.equal(torch.get_rng_state(), before)
    assert type(fresh) is type(voice)
    assert (fresh.instruments, fresh.styles) == (voice.instruments, voice.styles)
    weights = [dict(v.model.named_parameters()) for v in (fresh, again, other, voice)]
    assert all(torch.equal(weights[0][k], weights[1][k]) for k in weights[0])
    for theirs in weights[2:]:
        assert any(not torch.equal(weights[0][k], theirs[k]) for k in weights[0])


# ---- notes -----------------------------------------------------------------------------------------------------------


@check("plays")
def check_it_plays_any_note(voice: Voice, path: Path, folder: Path) -> None:
    """Finite, of a sane level and length, at the ends of what a note can be too."""
    label = voice.instruments[-1]
    ends = [
        Note(pitch, seconds, velocity, label, seed=seed, bend=bend)
        for pitch, seconds, velocity, seed, bend in [
            (0.0, 0.001, 1, 0, ()),
            (127.0, 0.3, 127, (1 << 31) - 1, ()),
            (60.4, 0.1, 64.5, 7, ((0.0, -12.0), (0.1, 12.0))),
        ]
    ]
    notes = [*some_notes(voice), *ends, Note(60, 0.1)]
    softest, loudest = TRAINED if voice.info.training.get("steps") else UNTRAINED
    sounds = voice.notes(notes)
    assert len(sounds) == len(notes)
    for note, sound in zip(notes, sounds, strict=True):
        assert sound.dtype == np.float32, note
        assert sound.ndim == 1, note
        assert 0 < len(sound) <= (min(note.seconds, voice.longest) + RING) * voice.sample_rate, note
        assert len(sound) <= voice.longest * voice.sample_rate, note
        assert np.isfinite(sound).all(), note
        assert np.abs(sound).max() < UNTRAINED[1], note
    assert all(softest < np.abs(sound).max() < loudest for sound in sounds[:3])
    assert voice.notes([]) == []


@check("plays")
def check_a_note_lasts_as_long_as_it_is_held(voice: Voice, path: Path, folder: Path) -> None:
    """Or as long as this kind's sounds last."""
    held = 0.7
    sound = voice.note(60, seconds=held, instrument=voice.instruments[0], velocity=127)
    if voice.longest == np.inf:
        faded = voice.note(60, seconds=0.05, instrument=voice.instruments[0], velocity=127)
        assert len(faded) <= len(sound)
    else:
        assert len(sound) <= round(min(held + RING, voice.longest) * voice.sample_rate)


@check("plays")
def check_a_note_sounds_alone_as_in_a_batch(voice: Voice, path: Path, folder: Path) -> None:
    """Wherever in it, whoever its neighbours are and however many processors play."""
    notes = some_notes(voice, 5)
    together = voice.notes(notes)
    for play in (lambda: [voice.notes([note])[0] for note in notes], lambda: voice.notes(notes[::-1])[::-1]):
        for one, other in zip(play(), together, strict=True):
            apart = distance(one, other)
            assert apart < ALONE, apart
    for one, other in zip(voice.notes(notes, threads=2), voice.notes(notes, threads=1), strict=True):
        np.testing.assert_array_equal(one, other)


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """Between two sounds, relative to their peak; a length that differs counts as silence, for tails are cut where
    they have died away."""
    size = max(len(one), len(other))
    a, b = (np.pad(x, (0, size - len(x))) for x in (one, other))
    return float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-9))


@check("plays")
def check_the_same_seed_is_the_same_bytes_and_another_is_not(voice: Voice, path: Path, folder: Path) -> None:
    """In another process too: here, in another voice of the same file. No one else's random numbers are used or
    changed."""
    notes, again = some_notes(voice), load_voice(path)
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002 (others may still use it)
    before = torch.get_rng_state(), np.random.get_state()[1].tolist()  # type: ignore[index] # noqa: NPY002
    sounds = voice.notes(notes)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.random.get_state()[1].tolist() == before[1]  # type: ignore[index] # noqa: NPY002
    torch.manual_seed(2)
    for one, other in zip(sounds, again.notes(notes), strict=True):
        np.testing.assert_array_equal(one, other)
    for sound, other in zip(sounds, voice.notes([dataclasses.replace(n, seed=n.seed + 9) for n in notes]), strict=True):
        assert len(sound) != len(other) or distance(sound, other) > 1e-3


@check("plays", "pitched")
def check_a_pitch_is_heard(voice: Voice, path: Path, folder: Path) -> None:
    low, high = (voice.note(key, seconds=0.2, instrument=voice.instruments[0]) for key in (60, 67))
    assert len(low) != len(high) or distance(low, high) > 1e-2


@check("plays")
def check_parts_sum_to_the_whole_or_are_refused(voice: Voice, path: Path, folder: Path) -> None:
    notes = some_notes(voice, 2)
    try:
        apart = voice.notes(notes, parts=True)
    except AntiphonError:
        refused(lambda: voice.notes(notes, parts=True))
        return
    for sound, part in zip(voice.notes(notes), apart, strict=True):
        assert part.shape == (len(sound), 2)
        np.testing.assert_allclose(part.sum(1), sound, atol=1e-4 * np.abs(sound).max())


@check("plays")
def check_what_nobody_can_play_is_refused(voice: Voice, path: Path, folder: Path) -> None:
    refused(lambda: voice.note(60, instrument="no such thing at all"))
    refused(lambda: voice.note(60, style=("no such word",)))
    for name in ("no such thing at all", ""):
        text = refused(lambda name=name: voice.resolve(name))  # type: ignore[misc]
        assert name in text
    for label in voice.instruments[:5]:
        assert voice.resolve(label) == label


@check("plays", "imagines")
def check_it_becomes_a_sampler_pack(voice: Voice, path: Path, folder: Path) -> None:
    few = {"keys": 127, "velocities": 1, "takes": 1, "seconds": 0.1, "instrument": voice.instruments[0]}
    made = antiphon.export(voice, folder / "pack", format="wav", quiet=True, **few)
    peaks = [float(np.abs(read_audio(file)).max()) for file in made.rglob("*.wav")]
    assert max(peaks) == pytest.approx(0.89, abs=0.01)


# ---- style vectors ---------------------------------------------------------------------------------------------------


@check("imagines")
def check_it_imagines(voice: Voice, path: Path, folder: Path) -> None:
    """A vector of one length, finite, of the seed and the label and nothing else."""
    again = load_voice(path)
    shape = voice.imagine(voice.instruments[0]).shape
    assert len(shape) == 1
    for label in {voice.instruments[0], voice.instruments[-1]}:
        drawn = [voice.imagine(label, styled(voice, label), seed) for seed in range(4)]
        for seed, w in enumerate(drawn):
            assert w.shape == shape
            assert w.isfinite().all()
            assert torch.equal(w, again.imagine(label, styled(voice, label), seed))
        assert all(not torch.equal(drawn[0], w) for w in drawn[1:])


@check("imagines", "plays")
def check_an_imagined_style_is_the_one_that_is_played(voice: Voice, path: Path, folder: Path) -> None:
    notes = some_notes(voice)
    w = torch.stack([voice.imagine(str(n.instrument), n.style, n.seed) for n in notes])
    given = w.clone()
    for one, other in zip(voice.notes(notes, w=w), voice.notes(notes), strict=True):
        np.testing.assert_array_equal(one, other)
    for one, other in zip(voice.notes(notes, w=w.numpy()), voice.notes(notes), strict=True):
        np.testing.assert_array_equal(one, other)
    assert torch.equal(w, given)


@check("imagines")
def check_variation_leads_from_the_typical_to_the_seeds_own(voice: Voice, path: Path, folder: Path) -> None:
    label = voice.instruments[0]
    style = styled(voice, label)

    def drawn(seed: int, variation: float) -> torch.Tensor:
        return voice.imagine(label, style, seed, variation).double()

    typical = drawn(0, 0.0)
    for seed in (STYLE_SAMPLES + 1, STYLE_SAMPLES + 2):  # the typical one is that of a lower seed
        torch.testing.assert_close(drawn(seed, 0.0), typical, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(drawn(seed, 1.0), voice.imagine(label, style, seed).double())
        away = [float((drawn(seed, x) - typical).norm()) for x in (0.25, 0.5, 1.0)]
        assert 0 < away[0] < away[1] < away[2]


@check("imagines")
def check_style_words_change_what_is_imagined(voice: Voice, path: Path, folder: Path) -> None:
    words, label = voice.styles, voice.instruments[0]
    for word in words[:6]:
        assert voice.resolve_style([word]) == (word,)
    drawn = [voice.imagine(label, (word,), 1) for word in words[:6]]
    for i, w in enumerate(drawn):
        assert all((w - other).norm() > 1e-3 * w.norm() for other in drawn[:i])
    refused(lambda: voice.resolve_style(["no such word"]))


@check("encodes", "plays", "imagines")
def check_it_hears_what_it_plays(voice: Voice, path: Path, folder: Path) -> None:
    """A style vector that can be played, of one note alone or among others, the same each time."""
    notes = some_notes(voice)
    sounds = voice.notes(notes)
    pitches, holds = [n.pitch for n in notes], [n.seconds for n in notes]
    w = voice.encode(sounds, pitches, holds)
    assert w.shape == (len(notes), *voice.imagine(voice.instruments[0]).shape)
    assert np.isfinite(w).all()
    np.testing.assert_array_equal(w, voice.encode(sounds, pitches, holds))
    alone = np.concatenate([voice.encode([s], [p], [h]) for s, p, h in zip(sounds, pitches, holds, strict=True)])
    np.testing.assert_allclose(alone, w, atol=1e-3)
    assert np.abs(w[0] - w[1]).max() > 1e-4
    for odd in (np.zeros(1, np.float32), np.zeros(300_000, np.float32)):
        assert np.isfinite(voice.encode([odd], [60.0])).all()
    for sound in voice.notes(notes, w=w):
        assert np.isfinite(sound).all()


@check("encodes")
def check_it_varies_a_style_and_names_it(voice: Voice, path: Path, folder: Path) -> None:
    label = voice.instruments[0]
    style, w = styled(voice, label), voice.imagine(voice.instruments[0], styled(voice, label), 5)
    assert torch.equal(voice.vary(w, label, style, 3, 0.0), w)
    near, far = (voice.vary(w, label, style, 3, x).float() for x in (0.2, 0.6))
    assert 0 < (near - w).norm() < (far - w).norm()
    assert voice.nearest(w) in voice.instruments


# ---- sound into sound ------------------------------------------------------------------------------------------------


@check("transforms")
def check_a_sound_becomes_a_sound(voice: Any, path: Path, folder: Path) -> None:
    """Of the same length, finite, of a like level, each time the same; the sound that was given stays."""
    rate = voice.sample_rate
    t = np.arange(9000) / rate
    tone = (0.3 * np.sin(2 * np.pi * 440 * t) * np.exp(-4 * t)).astype(np.float32)
    for length in (1, 100, 4097, 9000):
        given = tone[:length].copy()
        made = voice.transform(given, rate)
        assert made.shape == (length,)
        assert made.dtype == np.float32
        assert np.isfinite(made).all()
        assert np.abs(made).max() < 4
        np.testing.assert_array_equal(given, tone[:length])
        np.testing.assert_array_equal(made, voice.transform(given, rate))
    assert np.abs(voice.transform(tone, rate)).max() > 0.03
    assert np.abs(voice.transform(np.zeros(9000, np.float32), rate)).max() < 1e-2


@check("transforms")
def check_channels_and_rates_of_a_sound(voice: Any, path: Path, folder: Path) -> None:
    """Channels stay what they are, each by itself or all alike; what comes out is at the voice's own rate."""
    rate = voice.sample_rate
    noise = np.random.default_rng(1).uniform(-0.3, 0.3, (4096, 2)).astype(np.float32)
    both = voice.transform(noise, rate)
    assert both.shape == noise.shape
    if voice.linked:
        np.testing.assert_allclose(voice.transform(noise[:, ::-1], rate), both[:, ::-1], atol=1e-5)
    for channel in () if voice.linked else (0, 1):
        np.testing.assert_allclose(both[:, channel], voice.transform(noise[:, channel], rate), atol=1e-5)
    assert len(voice.transform(noise[:2048, 0], rate // 2)) == pytest.approx(4096, abs=4)


# ---- what it cannot do -----------------------------------------------------------------------------------------------


@check()
def check_what_it_cannot_do_is_refused_in_one_line(voice: Voice, path: Path, folder: Path) -> None:
    """By the verbs, to whom a person says what to do; and nothing is left behind."""
    able, label = can(voice), voice.instruments[0]
    asked: dict[str, tuple[bool, Callable[[], Any]]] = {
        "generate": (able.plays, lambda: antiphon.generate(path, folder / "out", 1, quiet=True)),
        "a pitch": (able.pitched, lambda: antiphon.generate(path, folder / "out", 1, pitch=60, quiet=True)),
        "play": (able.plays and able.pitched, lambda: antiphon.play(None, folder / "out.wav", path, quiet=True)),
        "morph": (able.plays, lambda: antiphon.morph(path, folder / "out.wav", label, label, steps=2, quiet=True)),
        "blend": (
            able.encodes or len(voice.instruments) < 2,
            lambda: antiphon.generate(
                path, folder / "out", 1, instrument="{}:0.5,{}:0.5".format(*voice.instruments[:2]), quiet=True
            ),
        ),
    }
    for what, (possible, call) in asked.items():
        if not possible:
            assert refused(call), what
    assert not list(folder.iterdir())
