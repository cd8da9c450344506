"""The composer: pieces as tables, what is learned from a folder, the game, and what every composed piece keeps."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import antiphon
from antiphon.core.errors import AntiphonError
from antiphon.data.bar_measures import NAMES, bar_measures
from antiphon.data.phrases import AT, END, KEYS, Reading, likeness, window
from antiphon.data.prepared_scores import Scores
from antiphon.music.harmony import estimate_key
from antiphon.music.notation import BASS, CHORDS, DRUMS, MELODY, Key, Metre, Score, ScoreNote, ScorePart
from antiphon.music.score import read_score
from antiphon.music.tabulate import tabulate
from antiphon.recipes.composer import ComposerRecipe
from antiphon.recipes.lookup import recipe
from antiphon.recipes.override import override
from antiphon.training.contract import StepContext
from antiphon.training.games import composer as composing
from antiphon.training.games.composer import ComposerGame, advantages
from antiphon.training.loop import new_game
from antiphon.training.losses.decisions import surprises
from antiphon.voices import writing
from antiphon.voices.capabilities import ComposesMusic
from antiphon.voices.checkpoint import load_voice, read_tensors, save_voice
from antiphon.voices.composer import ComposerVoice
from antiphon.voices.forms import form, markers, plan, tacet
from antiphon.voices.writing import Blocks, Draft, Taste, Writer, alone
from antiphon.voices.writing_many import best_of, together

TINY = {"network.width": 16, "network.layers": 1, "network.heads": 2, "batch": 2, "tokens": 64, "health": 0,
        "network.judge": 4, "game.siblings": 2, "game.weight": 0.5}  # fmt: skip


def piece(seed: int, bars: int = 12, metre: Metre = Metre(4, 4)) -> Score:  # noqa: B008
    """A song with a tune, a bass and drums: A A' B A of three bars each."""
    dice = np.random.default_rng(seed)
    sections = {name: dice.choice([0, 2, 4, 5, 7, 9], (3, metre.steps // 24)) for name in "AB"}
    tune, bass, kit = [], [], []
    for bar in range(bars):
        degrees = sections["AABA"[bar // 3 % 4]][bar % 3]
        for beat, degree in enumerate(degrees.tolist()):
            tune.append(ScoreNote(bar, 24 * beat, 72 + seed % 5 + degree, 24, 60 + 10 * beat))
            kit.append(ScoreNote(bar, 24 * beat, 36 if beat % 2 == 0 else 38, 6, 90))
        bass.append(ScoreNote(bar, 0, 36 + seed % 5 + int(degrees[0]) % 7, metre.steps, 80))
    parts = ScorePart("Tune", MELODY, tuple(tune), 73), ScorePart("Bass", BASS, tuple(bass), 33)
    return Score((*parts, ScorePart("Kit", DRUMS, tuple(kit))), (metre,) * bars, ((0, 96.0 + seed),))


ENDLESS = replace(piece(1, 4), metres=(Metre(4, 4),) * 1001)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pieces of two styles, one twice, one in three, one broken and one too short."""
    root = tmp_path_factory.mktemp("music")
    for i in range(6):
        style = root / ("march" if i % 2 else "song")
        style.mkdir(exist_ok=True)
        piece(i, metre=Metre(3, 4) if i == 4 else Metre(4, 4)).write(style / f"{i}.mid")
    piece(0).write(root / "song" / "again.mid")
    piece(1).cut(0, 2).write(root / "short.mid")
    piece(1, 4, Metre(9, 4)).write(root / "long bars.mid")
    (root / "broken.mid").write_bytes(b"MThd no")
    return root


@pytest.fixture(scope="module")
def prepared(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Scores:
    from antiphon.recipes.scores import prepare_scores

    path = tmp_path_factory.mktemp("scores") / "scores.safetensors"
    prepare_scores(folder, path, "CC0", "", lambda done, total: None)
    return Scores(path)


@pytest.fixture(autouse=True)
def short_pieces(monkeypatch: pytest.MonkeyPatch):
    """In the game."""
    monkeypatch.setattr(composing, "BARS", 4)


def tiny(**settings) -> ComposerRecipe:
    return override(recipe("composer", "tiny"), TINY | settings)


@pytest.fixture(scope="module")
def voice(prepared: Scores) -> ComposerVoice:
    """One that has learned nothing, and yet has to keep to the rules."""
    made = tiny()
    return ComposerVoice(new_game(prepared, made).model, made.describe(prepared, "mine"))


# ---- tables ----------------------------------------------------------------------------------------------------------


def test_a_piece_becomes_tables():
    score = piece(2)
    found = tabulate(score).piece
    assert found.parts == 3
    assert len(found.notes) == sum(len(p.notes) for p in score.parts)
    assert (found.roles.tolist(), found.families[-1]) == ([0, 3, 4], 16)
    assert found.earlier[3:6].tolist() == [0, 1, 2]  # A'
    assert {int(e) for e in found.earlier[9:12] % 3} == {0, 1, 2}
    reading = Reading(found)
    assert likeness(reading.block(3, 0), reading.block(0, 0)) == 4
    key = estimate_key(score)
    assert tabulate(score, key).shift == tabulate(score).shift
    assert tabulate(score.transposed(3)).piece.notes.tolist() == found.notes.tolist()


@pytest.mark.parametrize(
    ("score", "why"),
    [
        (piece(1).cut(0, 2), "fewer than"),
        (piece(1, 4, Metre(9, 4)), "longer than 8 beats"),
        (replace(piece(1), parts=(ScorePart("x", MELODY, (ScoreNote(0, 0, 60, 24),)),)), "fewer than 16 notes"),
    ],
)
def test_what_cannot_be_learned_from_says_why(score: Score, why: str):
    with pytest.raises(AntiphonError, match=why):
        tabulate(score)


def test_doublings_are_left_out():
    score = piece(1)
    doubled = replace(score, parts=(*score.parts, replace(score.parts[0], name="Second", program=48)))
    assert tabulate(doubled).piece.notes.tolist() == tabulate(score).piece.notes.tolist()


def test_a_folder_is_prepared(folder: Path, prepared: Scores, tmp_path: Path):
    assert prepared.styles == ("march", "song")
    assert [name for name in prepared.names if name[0] == "m"] == [f"march/{n}.mid" for n in (1, 3, 5)]
    assert len(prepared) == 6
    first = prepared.piece(0)
    assert len(first.notes) == sum(len(p.notes) for p in read_score(folder / prepared.names[0]).parts)
    other = tmp_path / "no scores"
    other.write_bytes(b"nothing")
    with pytest.raises(AntiphonError, match="no prepared scores"):
        Scores(other)


def test_works_by_one_composer_are_on_one_side(tmp_path: Path):
    from antiphon.recipes.scores import prepare_scores

    lines = ["path,kind,composer,work"]
    for i in range(20):
        piece(i).write(tmp_path / f"{i}.mid")
        lines.append(f"{i}.mid,song,Composer {i % 7},Work {i % 10}")
    (tmp_path / "works.csv").write_text("\n".join(lines))
    prepare_scores(tmp_path, tmp_path / "s.safetensors", "", "", lambda done, total: None)
    data = Scores(tmp_path / "s.safetensors")
    assert data.styles == ("song",)
    held_out = {data.names[i] for i in data.where("valid").tolist()}
    works = {(int(name.split(".")[0]) % 7, int(name.split(".")[0]) % 10) for name in held_out}
    others = {name for name in data.names if (int(name.split(".")[0]) % 7, int(name.split(".")[0]) % 10) in works}
    assert held_out == others
    assert 0 < len(held_out) < 6


# ---- decisions -------------------------------------------------------------------------------------------------------


def drafts(data: Scores, count: int = 3) -> list[Draft]:
    """Phrases to be written in the middle of pieces."""
    found = []
    for i in range(count):
        known = data.piece(i)
        made = replace(known, chords=known.chords.copy())
        made.chords[6:10] = -1
        ranges = np.array([(128, KEYS - 1) if family == 16 else (40, 90) for family in known.families])
        found.append(Draft(made, ranges, range(known.parts), Blocks(Reading(known)), 6, 10, dynamic=True))
    return found


def writers(data: Scores) -> list[Writer]:
    return [Writer(draft, Taste(), np.random.default_rng(i)) for i, draft in enumerate(drafts(data))]


def test_what_is_written_is_what_would_be_learned(voice: ComposerVoice, prepared: Scores):
    """The tokens that a writer showed the network are those that training makes of what was written, but for how like a
    block was going to be to others: a network that has learned nothing does not keep to that."""
    known = prepared.piece(0)
    blank = replace(known, chords=np.full_like(known.chords, -1))
    ranges = np.array([(128, KEYS - 1) if family == 16 else (40, 90) for family in known.families])
    writer = Writer(Draft(blank, ranges, (1, 2, 0), dynamic=True), Taste(), np.random.default_rng(3))
    alone(voice.model, writer.write())
    found = window(writer.draft.written(), 0, (1, 2, 0), 10_000)
    kept = [i for name, i in AT.items() if name not in ("like", "before", "count")]
    shown = np.concatenate([writer.begin[None], *writer.bars])
    np.testing.assert_array_equal(found.tokens[:, kept], shown[:, kept])
    assert (found.places == END).sum() == (found.block_answers[:, 2] > 0).sum()


def test_what_is_written_could_have_been_decided(voice: ComposerVoice, prepared: Scores):
    """No decision of a written piece is one that the network rules out."""
    from antiphon.training.batches.phrases import collated

    for writer in writers(prepared):
        alone(voice.model, writer.write())
        made = writer.draft.written()
        batch = collated([window(replace(made, notes=made.notes), 6, writer.draft.order, 10_000, stop=10)])
        assert all(bool((nats < 50).all()) for nats in surprises(voice.model, batch).values())


def test_many_are_written_as_each_alone(voice: ComposerVoice, prepared: Scores):
    ones, others = writers(prepared), writers(prepared)
    for writer in ones:
        alone(voice.model, writer.write())
    together(voice.model, [writer.write() for writer in others])
    for one, other in zip(ones, others, strict=True):
        assert one.draft.written().notes.tolist() == other.draft.written().notes.tolist()


def test_of_several_ways_to_write_a_phrase_the_preferred_is_kept(voice: ComposerVoice, prepared: Scores):
    """With a judge who likes notes there are more than otherwise; and what the network was shown is what is written in
    the end."""
    heard = []

    def likes_notes(tried: Sequence[Draft], first: int, stop: int) -> int:
        counts = [len(draft.excerpt(first, stop).notes) for draft in tried]
        heard.append((first, stop, max(counts), float(np.mean(counts))))
        return int(np.argmax(counts))

    draft = drafts(prepared, 1)[0]
    three = draft, draft.copy(), draft.copy()
    writers = [Writer(d, Taste(), np.random.default_rng(i)) for i, d in enumerate(three)]
    best_of(voice.model, writers, [(6, 8), (8, 10)], likes_notes)
    assert [(first, stop) for first, stop, *_ in heard] == [(6, 8), (8, 10)]
    for first, stop, most, usual in heard:
        assert len(draft.excerpt(first, stop).notes) == most > usual
    made = replace(prepared.piece(0), notes=draft.excerpt(0, 10).notes, chords=draft.piece.chords)
    kept = [i for name, i in AT.items() if name not in ("like", "before", "count")]
    shown = np.concatenate([writers[0].begin[None], *writers[0].bars])
    np.testing.assert_array_equal(window(made, 0, draft.order, 10_000, stop=10).tokens[:, kept], shown[:, kept])


def test_a_taught_critic_chooses(voice: ComposerVoice):
    """A voice whose critic has been taught composes otherwise, the same from the same seed; an untaught one has no
    say."""
    judged = ComposerVoice(copy.deepcopy(voice.model), voice.info)
    asked = {"count": 3, "style": "song", "seed": 3, "parts": ["melody", "bass"]}
    assert judged.bars(**asked).encode() == voice.bars(**asked).encode()
    judged.model.judge.moves.fill_(1)
    made = judged.bars(**asked)
    assert voice.bars(**asked).encode() != made.encode() == judged.bars(**asked).encode()
    check_score(made)
    check_score(judged.bars(given=piece(8, 3), keep=[0], parts=["bass"], seed=1))
    check_score(judged.bars(2, before=piece(8, 4), seed=1))


def test_an_older_voice_has_no_critic(voice: ComposerVoice, tmp_path: Path):
    older = type(voice.model)(replace(voice.model.config, judge=0), voice.model.labels)
    path = tmp_path / "old.safetensors"
    save_voice(path, older, voice.info)
    assert "judge" not in read_tensors(path)[1]["config"]
    check_score(load_voice(path).bars(2, seed=1))


def test_measures_of_bars(prepared: Scores):
    """A A' B A, three bars each: what returns is like what was there, and what lies too far back is not looked at."""
    known = prepared.piece(0)
    found = bar_measures(known, 0, known.bars)
    assert found.shape == (known.bars, len(NAMES))
    column = {name: found[:, i] for i, name in enumerate(NAMES)}
    assert column["has 4 before"].tolist() == [0.0] * 4 + [1.0] * (known.bars - 4)
    assert (column["drums at 1"][1:] == 1).all()
    assert column["strokes"] == pytest.approx(np.log(5.0))
    assert column["density"] == pytest.approx(4 / 16)
    assert column["on the beat"] == pytest.approx(1.0)
    assert (column["silent parts"] == 0).all()
    again = bar_measures(replace(known, notes=known.notes), 8, 11)
    np.testing.assert_array_equal(again, found[8:11])
    alone = bar_measures(known, 8, 11, 8)
    assert alone[0, NAMES.index("has 1 before")] == 0
    assert alone[0, NAMES.index("rhythm at 1")] == 0 < found[8, NAMES.index("rhythm at 1")]


def test_forms():
    for count in (1, 5, 8, 13, 32, 45, 100):
        sections = form(count, np.random.default_rng(count))
        assert [s.first for s in sections] == list(np.cumsum([0, *(s.bars for s in sections)]))[:-1]
        assert sum(s.bars for s in sections) == count
        earlier = plan(sections, np.ones((8, 9)), np.random.default_rng(0))
        assert (earlier < np.arange(count)).all()
        names = dict(markers(sections))
        again = [s for s in sections if names[s.first] == "A'"]
        assert all(earlier[s.first + i] == i for s in again for i in range(s.bars))


def test_parts_that_often_rest_do_so_by_sections():
    sections = form(32, np.random.default_rng(3))
    found = tacet(sections, np.array([0.0, 0.6, 0.9, 0.1]), np.random.default_rng(5))
    assert {part for _, part in found} <= {1, 2}
    assert all(sum((bar, part) in found for part in range(4)) <= 2 for bar in range(32))
    assert all(any((bar, part) not in found for bar in range(32)) for part in (1, 2))
    by_section = {
        (s.first, part, (s.first + i, part) in found) for s in sections for i in range(s.bars) for part in (1, 2)
    }
    assert len(by_section) == 2 * len(sections)
    assert tacet(form(4, np.random.default_rng(0)), np.ones(3), np.random.default_rng(0)) == set()


# ---- composed pieces -------------------------------------------------------------------------------------------------


def check_score(score: Score) -> None:
    """What every composed piece keeps: notes in their bars and in MIDI's range, no key struck while it sounds, no empty
    part, and the same when its file is read."""
    for part in score.parts:
        assert part.notes, part.name
        ends: dict[int, int] = {}
        for note in part.notes:
            assert 0 <= note.bar < score.bars
            assert 0 <= note.position < score.metres[note.bar].steps
            assert (0 <= note.pitch <= 127, 1 <= note.velocity <= 127, note.length > 0) == (True, True, True)
            assert ends.get(note.pitch, 0) <= score.onset(note)
            ends[note.pitch] = score.onset(note) + note.length
        assert list(part.notes) == sorted(part.notes)


def test_a_piece(voice: ComposerVoice, tmp_path: Path):
    assert isinstance(voice, ComposesMusic)
    score = voice.bars(9, style="march", key="Am", metre="3/4", tempo=77, parts=["melody", "bass"], seed=4)
    check_score(score)
    assert (score.bars, score.key, set(score.metres), score.tempo) == (9, Key(9, True), {Metre(3, 4)}, 77)
    assert [part.role for part in score.parts] == ["melody", "bass"]
    assert score.markers[0] == (0, "A")
    again, other = (voice.bars(9, style="march", key="Am", metre="3/4", tempo=77, parts=["melody", "bass"], seed=s)
                    for s in (4, 5))  # fmt: skip
    assert again.encode() == score.encode() != other.encode()
    read = read_score(score.write(tmp_path / "a.mid"))
    assert [p.notes for p in read.parts] == [p.notes for p in score.parts]
    last = [n for n in score.parts[0].notes if n.bar == 8 and n.position * 2 >= 72]
    assert all(n.pitch % 12 in (9, 0, 4) for n in last)


@pytest.mark.parametrize("seed", range(6))
def test_any_piece(voice: ComposerVoice, seed: int):
    check_score(voice.bars(1 + 3 * seed, seed=seed, temperature=(0.3, 1.0, 3.0)[seed % 3]))


def test_given_parts_stay_and_others_come(voice: ComposerVoice):
    given = piece(8)
    score = voice.bars(given=given, keep=[2, 0], parts=["bass", "chords"], seed=1)
    assert score.parts[0] is given.parts[2]
    assert score.parts[1] is given.parts[0]
    assert [part.role for part in score.parts[2:]] == ["bass", "chords"]
    assert (score.metres, score.tempos) == (given.metres, given.tempos)
    check_score(score)
    alone = voice.bars(given=replace(given, parts=given.parts[:1]), style="song")
    assert len(alone.parts) > 1
    check_score(alone)


def test_an_accompaniments_chords_are_those_of_what_is_given(voice: ComposerVoice, monkeypatch):
    """An untrained network has no opinion, so all that speaks is what fits."""
    drafts: list[Draft] = []

    class Spy(Writer):
        def __init__(self, draft: Draft, *rest) -> None:
            super().__init__(draft, *rest)
            drafts.append(draft)

    monkeypatch.setattr("antiphon.voices.composer.Writer", Spy)
    roots = [0, 5, 7, 0, 5, 0]
    chords = [ScoreNote(bar, 0, 60 + root + tone, 96, 80) for bar, root in enumerate(roots) for tone in (0, 4, 7)]
    given = Score((ScorePart("Chords", CHORDS, tuple(chords)),), (Metre(4, 4),) * len(roots), ((0, 96.0),))
    voice.bars(given=given, key="C", parts=["bass"], seed=1)
    found = drafts[0].piece.chords
    hits = [found[bar, half] // 6 == root for bar, root in enumerate(roots) for half in (0, 1)]
    assert np.mean(hits) > 0.6


def test_a_piece_goes_on(voice: ComposerVoice):
    before = replace(piece(8), markers=((0, "A"), (4, "B"), (8, "A'")))
    score = voice.bars(5, before=before, seed=1)
    assert score.markers[0] == (0, "C")
    assert (score.bars, score.tempo) == (5, before.tempo)
    assert [(p.name, p.program, p.role) for p in score.parts] == [(p.name, p.program, p.role) for p in before.parts]
    check_score(score)


def test_a_variation(voice: ComposerVoice):
    given = piece(8)
    same, near, far = (voice.bars(vary=given, amount=amount, seed=1) for amount in (0.0, 0.3, 1.0))
    assert [p.notes for p in same.parts] == [p.notes for p in given.parts]
    kept = [
        sum(len(set(a.notes) & set(b.notes)) for a, b in zip(other.parts, given.parts, strict=True))
        for other in (same, near, far)
    ]
    assert kept[0] > kept[1] > kept[2]
    for score in (near, far):
        check_score(score)
        assert (score.metres, [p.name for p in score.parts]) == (given.metres, [p.name for p in given.parts])


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"count": 0}, "1 to"),
        ({"style": "polka"}, "this voice knows march, song"),
        ({"key": "H"}, "not a key"),
        ({"metre": "9/4"}, "too long"),
        ({"parts": ["kazoo"]}, "no part is called 'kazoo'"),
        ({"controls": {"beauty": 1.0}}, "nothing is called 'beauty'"),
        ({"density": 2.0}, "out of range"),
        ({"given": piece(1), "vary": piece(1)}, "use one of them"),
        ({"given": piece(1), "keep": [7]}, "no such part"),
        ({"vary": piece(1), "amount": 2.0}, "amount of 2"),
        ({"before": piece(1, 4, Metre(9, 4))}, "longer than 8 beats"),
        ({"given": ENDLESS}, "1,001 bars is too long"),
        ({"vary": ENDLESS}, "1,001 bars is too long"),
    ],
)
def test_what_cannot_be_composed_is_refused_in_one_line(voice: ComposerVoice, asked: dict, says: str):
    with pytest.raises(AntiphonError, match=says) as error:
        voice.bars(**asked)
    assert "\n" not in str(error.value)


def test_a_file_whose_settings_cannot_be_is_refused(voice: ComposerVoice, tmp_path: Path):
    good = voice.model.settings.clone()
    for column, value in ((0, 9), (2, 0), (4, 3), (6, 77), (10, 8), (11, 200), (12, -3), (13, 101)):
        voice.model.settings[3, column] = value
        save_voice(tmp_path / "v.safetensors", voice.model, voice.info)
        voice.model.settings.copy_(good)
        with pytest.raises(AntiphonError, match="cannot be"):
            load_voice(tmp_path / "v.safetensors")


# ---- training --------------------------------------------------------------------------------------------------------


def test_a_run_learns_resumes_and_composes(folder: Path, tmp_path: Path, monkeypatch, stop_at, capsys):
    """Stopped in the middle of the game and gone on with, it comes to the same bytes; what was left out is listed."""
    monkeypatch.setattr("antiphon.training.games.composer.SHOWN", 4)
    how = {"recipe": "composer", "size": "tiny", "steps": 3, "threads": 1, "from_scratch": True}
    how |= {"settings": TINY | {"game.begin": 0.3, "game.rising": 0.3}}
    whole = antiphon.train(folder, tmp_path / "whole", **how)
    assert "4 files were refused" in capsys.readouterr().err
    refused = (tmp_path / "whole" / "refused.txt").read_text()
    assert all(why in refused for why in ("broken.mid: ", "fewer than", "longer than 8 beats", "it is the same as"))
    stop_at(2)
    with pytest.raises(KeyboardInterrupt):
        antiphon.train(folder, tmp_path / "parts", quiet=True, **how)
    stop_at()
    assert antiphon.train(folder, tmp_path / "parts", quiet=True, **how).read_bytes() == whole.read_bytes()
    assert list((tmp_path / "whole" / "sheets").glob("*.png"))
    check_score(antiphon.load(tmp_path / "whole").bars(4, style="song"))


def test_likelihood_learns_a_piece_by_heart(prepared: Scores):
    made = tiny(**{"game.optimiser.rate": 0.02})
    game, source = new_game(prepared, made), made.source(prepared)
    batch = source.batch(0, 2)
    said = [game.step(batch, StepContext(k, 1.0, 2, 0.0), torch.Generator()) for k in range(12)]
    assert float(said[-1]["nats"]) < 0.6 * float(said[0]["nats"])
    assert "critic" not in said[0]


def test_both_players_move_in_the_game(prepared: Scores):
    game, source = new_game(prepared, tiny()), tiny().source(prepared)
    before = {name: p.clone() for name, p in game.named_parameters()}
    said = game.step(source.batch(0, 2), StepContext(1, 1.0, 2, 1.0), torch.Generator().manual_seed(1))
    assert {"critic", "critic_norm", "judged"} <= said.keys()
    still = [name for name, p in game.named_parameters() if torch.equal(p, before[name])]
    assert not [name for name in still if name.startswith("critics") and not name.endswith("bias")]
    assert len(still) < len(before) / 4


def test_what_is_judged_better_becomes_likelier(prepared: Scores, monkeypatch: pytest.MonkeyPatch):
    """With a critic that likes full bars, more notes are written."""
    made = tiny(batch=4, **{"game.optimiser.rate": 0.02, "game.siblings": 4})
    game, source = new_game(prepared, made), made.source(prepared)

    class LikesNotes(torch.nn.Module):
        def forward(self, views: torch.Tensor, styles: torch.Tensor) -> torch.Tensor:
            return views[..., NAMES.index("notes of a part")]

    monkeypatch.setattr(game, "_teach", lambda *_: {})
    monkeypatch.setattr(ComposerGame, "critics", LikesNotes())
    contexts = source.batch(0, 4).contexts

    def fullness() -> float:
        made = game._written(contexts, torch.Generator().manual_seed(5))
        return float(np.mean([len(draft.written().notes) for draft in made]))

    before = fullness()
    for k in range(3):
        played, _ = game._play(contexts, StepContext(k, 1.0, 2, 1.0), torch.Generator().manual_seed(k))
        game.update("generator", played)
    assert fullness() > 1.15 * before


def test_pieces_of_the_game_are_composed_as_for_a_person(voice: ComposerVoice, prepared: Scores):
    """The same sketch, dice and notes; siblings share a sketch and differ in notes."""
    game, source = new_game(prepared, tiny()), tiny().source(prepared)
    game.model.load_state_dict(voice.model.state_dict())
    contexts = source.batch(0, 2).contexts
    one, other = game._written(contexts, torch.Generator().manual_seed(3))
    seeds = torch.randint(1 << 31, (2,), generator=torch.Generator().manual_seed(3)).tolist()
    sketch = voice.sketch(4, voice.styles[contexts[0].piece.style], seeds[0])
    alone(voice.model, Writer(sketch, Taste(), np.random.default_rng(seeds[0])).write())
    assert one.written().notes.tolist() == sketch.written().notes.tolist() != other.written().notes.tolist()
    assert (one.tacet, one.piece.earlier.tolist()) == (other.tacet, other.piece.earlier.tolist())


def test_without_a_policy_gradient_only_the_critic_learns_from_pieces(prepared: Scores):
    """At its full rate, though the generator's has fallen; every piece has a sketch of its own."""
    made = tiny(**{"game.weight": 0.0})
    game, source = new_game(prepared, made), made.source(prepared)
    one, other = game._written(source.batch(0, 2).contexts, torch.Generator().manual_seed(1))
    assert one.piece.seats.tolist() != other.piece.seats.tolist()
    before = {name: p.clone() for name, p in game.named_parameters()}
    game.step(source.batch(0, 2), StepContext(1, 0.0, 2, 1.0), torch.Generator().manual_seed(1))
    moved = {name for name, p in game.named_parameters() if not torch.equal(p, before[name])}
    assert moved
    assert all(name.startswith("model.judge.") for name in moved)


def test_the_batch_holds_whole_sets_of_siblings():
    with pytest.raises(AntiphonError, match=r"batch=4 cannot work: use a multiple of game.siblings=3"):
        tiny(batch=4, **{"game.siblings": 3}).check()
    assert replace(tiny(batch=12), batch=12).shared(5).batch == 4


def test_a_run_begins_from_a_voice_of_other_styles(voice: ComposerVoice, prepared: Scores):
    """Its weights are taken over, its line-ups are not."""
    labels = replace(voice.model.labels, instruments=("hymn", "song"))
    other = ComposerVoice(type(voice.model)(voice.model.config, labels), voice.info)
    game = new_game(prepared, tiny(seed=1))
    counted = game.model.settings.clone()
    assert game.begin_from(other, {}) == ["march"]
    assert torch.equal(game.model.settings, counted)
    mine, theirs = game.model.embed.weight, other.model.embed.weight
    assert torch.equal(mine[1:], theirs[1:])
    torch.testing.assert_close(mine[0], theirs[:2].mean(0))
    assert torch.equal(game.model.note.pitch.weight, other.model.note.pitch.weight)


def test_advantages_compare_siblings():
    found = advantages(torch.tensor([[1.0, 0, 0, 0], [0, 0, 0, 0], [5, 5, 5, 5], [5, 5, 5, 6]]), 2)
    torch.testing.assert_close(found[0], -found[1])
    assert found[0, 0] > 0
    assert found[0, 1:].abs().max() == 0  # what comes after a verdict has not brought it about
    assert found[3, 3] > found[3, 0] > 0


def test_a_windows_answers_are_the_pieces(prepared: Scores):
    known = prepared.piece(1)
    found = window(known, 0, range(known.parts), 10_000)
    assert len(found.bar_at) == known.bars
    assert len(found.answers) == len(known.notes)
    notes = found.tokens[found.tokens[:, AT["kind"]] == 2]
    assert notes[:, AT["pitch"]].tolist() == found.answers[:, 1].tolist()
    assert found.bar_chords.tolist() == known.chords.tolist()
    assert json.dumps(found.places.tolist())
    assert CHORDS == "chords"


def test_a_piece_is_written_on_one_thread(voice, threads_of):
    """More would wait for each other at every one of thousands of small steps: ten times as long on a busy machine."""
    met = threads_of(writing, "answer")
    voice.bars(1, seed=1)
    assert met == {1}
