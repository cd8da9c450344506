"""Cases for command lines, for places that cannot be read or written, and for full disks."""

from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import Any

import numpy as np
from fuzz_box import PRECIOUS, Box, called, link, tone, typed
from fuzz_damage import pick, text

ODD_WORDS = ("--seconds", "-n", "--pitch", "--velocity", "--seed", "--variation", "--instrument", "--style")
VALUES = ("0", "-1", "nan", "inf", "1e999", "1e-9", "99999999999999999999", "", " ", "²", "٣", "C99", "H4", "H",
          "ü", "60.5",
          "flute>harp@0:1-0:2", "harp:0,violin:0", "harp:1e9", ">", "@", "harp>violin", "a,b,c", "x" * 300, "x" * 20000,
          "0x1F", "harp," * 500 + "harp", "harp>violin@0-1>" * 300 + "harp", "--", "true",
          "None", "127", "128", "[]", "/dev/null", ".")  # fmt: skip


def printable(word: str) -> str:
    """The word as a shell can pass it: no NUL, no lone surrogates."""
    return word.replace("\0", "").encode("utf-8", "replace").decode()


def lines(box: Box) -> dict[str, Any]:
    """Command lines with odd values."""
    rng, voice = box.rng, box.material.voice
    odd = lambda: printable(str(pick(rng, VALUES)) if rng.random() < 0.7 else text(rng))  # noqa: E731
    box.kind = verb = str(pick(rng, ["generate", "play", "morph", "info", "train", "clone", "data", "nothing"]))
    if verb == "generate":
        words = ["generate", voice, "-o", box.out / "s", "-n", "1", "--seconds", "0.1"]
        words += [pick(rng, ODD_WORDS), odd()]
    elif verb == "play":
        from fuzz_damage import chunked

        song = box.file("song.mid", chunked(b"\0\x90\x3c\x40\x60\x80\x3c\0"))
        option = pick(rng, ["--instrument", "--map", "--morph", "--room", "--seed", "--variation", "--voice", "--out"])
        words = ["play", song, "-o", box.out / "a.wav", "--voice", voice, option, odd()]
        words = words if option != "--out" else ["play", song, "--voice", voice, "-o", box.out / (odd()[:400] or "x")]
    elif verb == "morph":
        words = [
            "morph",
            voice,
            "--from",
            "harp",
            "--to",
            odd(),
            "-o",
            box.out / "a.wav",
            "--steps",
            "2",
            "--seconds",
            "0.05",
        ]
        words = words if rng.random() < 0.5 else [*words[:5], odd(), *words[6:8], "--steps", odd()]
    elif verb == "info":
        words = ["info", odd()]
    elif verb == "train":
        option = pick(rng, ["--steps", "--minutes", "--size", "--threads", "--seed", "--set", "--from"])
        words = ["train", box.folder / "nowhere", "-o", box.out / "run", option, odd()]
    elif verb == "clone":
        sound = box.file(
            "x.wav", box.material.sounds[pick(rng, ["wav-PCM_16", "flac-PCM_16"])][: int(rng.integers(4000))]
        )
        words = ["clone", voice, sound, "-o", box.out / "c", pick(rng, ["--pitch", "--name", "--seed"]), odd()]
    elif verb == "data":
        what = pick(rng, ["inspect", "prepare", "render", odd()])
        folder = odd()  # "." is wherever the benchmark runs: a lot of valid input
        words = ["data", what, box.folder if folder == "." else folder, "-o", box.out / "x.safetensors"]
    else:
        words = [odd() for _ in range(int(rng.integers(1, 5)))]
    return typed(*words) if "--help" not in map(str, words) else {"outcome": "fine"}


# ---- places ----------------------------------------------------------------------------------------------------------


def places(box: Box) -> dict[str, Any]:
    """Outputs where none can be, inputs that are not files, names that are hard to write."""
    return _inputs(box) if box.rng.random() < 0.4 else _outputs(box)


def odd_file(box: Box, suffix: str) -> Path:
    """A pipe, a loop, a folder, a device, nothing, or a name too long."""
    path = box.folder / f"odd {suffix}"
    box.kind = str(
        pick(box.rng, ["pipe", "loop", "folder", "dangling", "device", "nothing", "too long", "empty", "below a file"])
    )
    match box.kind:
        case "pipe":
            os.mkfifo(path)
        case "loop":
            link(path, path.name)
        case "folder":
            path.mkdir()
        case "dangling":
            link(path, "nowhere")
        case "device":
            return link(path, "/dev/zero")
        case "too long":
            return box.folder / ("x" * 300 + suffix)
        case "empty":
            path.write_bytes(b"")
        case "below a file":
            return box.folder / PRECIOUS / f"x{suffix}"
    return path


def _inputs(box: Box) -> dict[str, Any]:
    voice = box.material.voice
    verb = pick(box.rng, ["play", "voice", "instrument", "inspect", "folder", "table", "prepared", "font", "clone"])
    if verb == "folder":
        odd_file(box, ".wav")
        box.kind = f"a folder with a {box.kind}"
        return typed("data", "inspect", box.folder)
    if verb == "table":
        folder = box.folder
        path = odd_file(box, ".csv")
        if path.parent == folder and os.path.lexists(path):
            path.rename(folder / pick(box.rng, ["notes.csv", "examples.json", "other.csv"]))
        return typed("data", "inspect", folder)
    makers = {
        "play": (".mid", lambda p: ["play", p, "-o", box.out / "a.wav", "--voice", voice]),
        "voice": (".safetensors", lambda p: ["info", p]),
        "instrument": (".wav", lambda p: ["generate", voice, "-o", box.out / "s", "-n", 1, "--instrument", p]),
        "inspect": ("", lambda p: ["data", "inspect", p]),
        "prepared": (
            ".safetensors",
            lambda p: ["train", p, "-o", box.folder / "run", "--size", "tiny", "--steps", 1, "--threads", 1],
        ),
        "font": (".sf2", lambda p: ["data", "render", p, "-o", box.folder / "r"]),
        "clone": (".wav", lambda p: ["clone", voice, p, "-o", box.out / "c"]),
    }
    suffix, line = makers[verb]
    return typed(*line(odd_file(box, suffix)))


def _outputs(box: Box) -> dict[str, Any]:
    from fuzz_damage import chunked

    voice, suffix = box.material.voice, str(pick(box.rng, [".wav", ".flac", ".ogg", ".mp3", ".opus", ".aiff"]))
    target = _target(box, suffix)
    if box.rng.random() < 0.3:
        return typed("generate", voice, "-o", target, "-n", 1, "--seconds", "0.1", *pick(box.rng, [[], ["--force"]]))
    song = box.file("song.mid", chunked(b"\0\xff\x03\x0ca/b \xe9\xbc\x93\xe9\xbc\x93.\0\x90\x3c\x40\x60\x80\x3c\0"))
    return typed("play", song, "-o", target, "--voice", voice, *pick(box.rng, [[], ["--stems"], ["--layers"]]))


def _target(box: Box, suffix: str) -> Path:
    kind = str(
        pick(
            box.rng,
            [
                "spaces",
                "emoji",
                "255 bytes",
                "256 bytes",
                "exists",
                "a stem exists",
                "deep",
                "odd",
                "no folder",
                "/proc",
                "/dev/full",
            ],
        )
    )
    box.kind = kind
    if kind == "odd":
        return odd_file(box, suffix)
    if kind == "a stem exists":
        for name in ("a-01-01-a-b-鼓鼓", "a-partials"):
            (box.out / f"{name}{suffix}").write_bytes(b"mine")
        box.before = {**box.before, **{f"{n}{suffix}": _md5(b"mine") for n in ("a-01-01-a-b-鼓鼓", "a-partials")}}
        (box.out / f"a{suffix}").unlink(missing_ok=True)
        return box.out / f"a{suffix}"
    return {
        "spaces": box.out / f" a  b {suffix}",
        "emoji": box.out / f"🎻 ü{suffix}",
        "255 bytes": box.out / ("ü" * 124 + suffix),
        "256 bytes": box.out / ("x" * (256 - len(suffix)) + suffix),
        "exists": box.out / PRECIOUS,
        "deep": box.out / "/".join(["d" * 60] * 20) / f"a{suffix}",
        "no folder": box.folder / PRECIOUS / f"a{suffix}",
        "/proc": Path(f"/proc/self/a{suffix}"),
        "/dev/full": Path("/dev/full"),
    }[kind]


def _md5(data: bytes) -> str:
    import hashlib

    return hashlib.md5(data).hexdigest()


# ---- full disks ------------------------------------------------------------------------------------------------------


def full(box: Box) -> dict[str, Any]:
    """No file may grow beyond some bytes: output is refused, or complete."""
    from antiphon.audio.files import write_audio
    from antiphon.data.prepare import prepare
    from antiphon.voices.checkpoint import write_tensors

    rng, voice = box.rng, box.material.voice
    suffix = str(pick(rng, [".wav", ".flac", ".ogg", ".mp3", ".opus", ".aiff"]))
    sound = np.concatenate([tone(60, 0.4)] * int(rng.integers(1, 4)))
    from fuzz_damage import chunked

    song = box.file("song.mid", chunked(b"\0\x90\x3c\x40\x60\x80\x3c\0"))
    box.kind = kind = str(pick(rng, ["write", "write", "play", "stems", "generate", "prepare", "tensors", "force"]))
    notes = box.material.folder / "material" / "notes"
    if kind == "force":
        (box.out / f"a{suffix}").write_bytes(b"mine")
        box.before[f"a{suffix}"] = _md5(b"mine")
    limit = int(2 ** rng.uniform(0, 20))
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        match kind:
            case "write":
                found = called(lambda: write_audio(box.out / f"a{suffix}", sound))
            case "force":
                found = called(lambda: write_audio(box.out / f"a{suffix}", sound, force=True))
                if found["outcome"] == "fine":
                    box.changed.add(f"a{suffix}")
            case "play" | "stems":
                more = ["--stems"] if kind == "stems" else []
                found = typed("play", song, "-o", box.out / f"a{suffix}", "--voice", voice, *more)
            case "generate":
                found = typed("generate", voice, "-o", box.out, "-n", 1, "--seconds", "0.1")
            case "prepare":
                found = called(lambda: prepare(notes, box.out / "n.safetensors"))
            case _:
                import torch

                found = called(lambda: write_tensors(box.out / "t.safetensors", {"a": torch.zeros(50_000)}, {"x": 1}))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    box.kind += f"{suffix} at {limit} bytes"
    return found


FAMILIES = {"command lines": (9, lines), "places": (9, places), "full disks": (6, full)}
