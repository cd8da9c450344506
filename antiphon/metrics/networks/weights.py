"""Weights of the networks that judge: found in the PyPI packages that publish them, known by hash, never executed.

aisfx and musicnn pin old versions of numpy and TensorFlow, so they are installed without their dependencies, are never
imported, and no extra can name them. Their weights are read once and kept as safetensors in a cache folder.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from antiphon.core.atomic import atomic, temporary_folder
from antiphon.core.errors import AntiphonError

INSTALL = "pip install 'antiphon[eval]' and then pip install --no-deps aisfx==0.1.2 musicnn==0.1.0"


def default_cache() -> Path:
    """The default folder for converted weights and measurements of real notes: the user's cache folder, or one that is
    temporary for a user without a home."""
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "antiphon"
    except RuntimeError:
        return temporary_folder() / "antiphon"


def installed(package: str) -> bool:
    """Whether a package that contains weights is installed."""
    return importlib.util.find_spec(package) is not None


def package_file(package: str, name: str, sha256: str) -> Path:
    """A file of an installed package, its hash checked. Raises AntiphonError, which says what to install."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise AntiphonError(f"the {package} embedding needs its weights: {INSTALL}")
    path = Path(spec.submodule_search_locations[0]) / name
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        raise AntiphonError(f"{path} is not the expected file (its sha256 differs): {INSTALL}")
    return path


def digest(tensors: Mapping[str, Tensor]) -> str:
    """A hash (hex) of names, shapes and numbers, independent of the file format."""
    found = hashlib.sha256()
    for name in sorted(tensors):
        found.update(f"{name} {tuple(tensors[name].shape)}\0".encode() + tensors[name].contiguous().numpy().tobytes())
    return found.hexdigest()


def converted(name: str, cache: Path, expected: str, convert: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
    """The tensors of `name`.safetensors in the cache folder if their `digest` is the expected one; otherwise they are
    converted and stored there."""
    path = cache / f"{name}.safetensors"
    try:
        kept = load_file(path)
        if digest(kept) == expected:
            return kept
    except (FileNotFoundError, SafetensorError):
        pass
    tensors = {key: value.contiguous() for key, value in convert().items()}
    if digest(tensors) != expected:
        raise AntiphonError(f"the weights of {name} did not convert as expected: {INSTALL} --force-reinstall")
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with atomic(path) as draft:
            save_file(tensors, draft)
    except (OSError, AntiphonError) as error:
        why = getattr(error, "strerror", None) or error
        raise AntiphonError(f"cannot keep weights in {cache} ({why}): give another folder with --cache") from None
    return tensors
