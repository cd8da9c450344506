"""The architecture: which package may import which. Imports point down, lazy and type-only ones too; no circles."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "antiphon"
FLOORS = (  # from the ground up; rooms on one floor do not know each other
    {"core"},
    {"audio", "representations"},
    {"data"},
    {"networks", "music"},
    {"voices"},
    {"metrics"},
    {"training"},
    {"recipes"},
    {"verbs"},
    {"cli"},
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
FACE = FLOOR["verbs"] + 0.5  # `antiphon` itself, which names verbs: only the command line may know it
Imports = dict[str, set[str]]  # a module's name -> those of the modules that it imports


def imports(folder: Path, package: str) -> Imports:
    """For every module below `folder`, all its imports from its own package, wherever they are in the file."""
    files = {".".join(filter(None, (package, *p.relative_to(folder).with_suffix("").parts))): p
             for p in folder.rglob("*.py")}  # fmt: skip
    known = {name.removesuffix(".__init__"): path for name, path in files.items()}
    return {name: set(imported(path.read_text(encoding="utf-8"), known)) - {name} for name, path in known.items()}


def imported(code: str, known: dict[str, Path]) -> Iterator[str]:
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield from (name for name in (full if full in known else node.module,) if name in known)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"[a-z_.]+", node.value):
            yield from (name for name in (node.value,) if "." in name and name in known)  # what a registry looks into


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def upward(found: Imports) -> list[str]:
    """Imports that do not point down: to another room on the same floor or a higher one, or to `antiphon` itself."""
    return [
        f"{name} -> {other}"
        for name, others in found.items()
        for other in sorted(others)
        if room(name) in FLOOR and room(name) != room(other) and FLOOR.get(room(other), FACE) >= FLOOR[room(name)]
    ]


def circle(found: Imports) -> list[str]:
    """The modules of one circle, or none. A registry that names its own package is not a circle."""
    try:
        TopologicalSorter(found).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


@pytest.fixture(scope="module")
def found() -> Imports:
    return imports(PACKAGE, "antiphon")


def test_the_package_has_twelve_rooms_and_nothing_lies_about():
    here = {p.name for p in PACKAGE.iterdir() if p.name != "__pycache__"}
    assert here == {*FLOOR, "__init__.py", "__main__.py"}


def test_every_import_points_down(found):
    assert upward(found) == []


def test_no_imports_go_round(found):
    assert circle(found) == []


def test_benchmarks_do_not_go_round():
    assert circle(imports(ROOT / "benchmarks", "")) == []


@pytest.mark.parametrize(("room_", "never"), [("core", "torch"), ("music", "torch"), ("data", "torch.nn")])
def test_what_a_room_must_never_know(room_, never):
    for path in (PACKAGE / room_).rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(rf"^\s*(import|from) {re.escape(never)}\b", text, re.M), path


def test_a_run_does_not_know_what_it_learns_from(found):
    """That is for recipes and games, who bring their own data, batches and previews."""
    run = ["verbs.train", *(f"training.{name}" for name in ("loop", "recipe", "contract", "state", "run_folder"))]
    health = [f"training.health.{name}" for name in ("monitor", "findings", "diagnostics", "interventions")]
    for name in run + health:
        known = {room(other) for other in found[f"antiphon.{name}"]}
        assert not known & {"audio", "representations", "data", "networks", "metrics", "music"}, name


@pytest.mark.parametrize(
    "line",
    [
        "from antiphon.verbs.play import play",
        "import antiphon.metrics.prdc",
        "x = parts('antiphon.recipes', 'RECIPES')",
        "from antiphon.music import midi",
    ],
)
def test_an_import_upward_is_seen_wherever_it_stands(found, line):
    known = {name: PACKAGE for name in found}
    inside = f"def f():\n    if TYPE_CHECKING:\n        {line}\n"
    assert upward({"antiphon.networks.layers": set(imported(inside, known))})
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}})
