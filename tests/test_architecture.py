"""The plan of the house, held on the syntax tree: who may import whom, late imports counted."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

# From the ground up; what stands on one line may use each other, as long as there is no circle.
FLOORS = [
    {
        "errors",
        "files",
        "full_disk",
        "taxonomy",
        "image_spec",
        "evaluation",
        "assessment",
        "configs_folder",
        "build",
        "ranges",
        "threads",
    },
    {"data"},
    {"networks", "demo"},
    {"losses", "similarity"},
    {"adaptation", "reporting"},
    {"model"},
    {"mapping"},
    {"annotation"},
    {"tasks", "callbacks"},
    {"papers"},
    {"app"},
    {"cli"},
]
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
FRONT_DOOR = {"terrashot", "terrashot.__main__"}


def modules(root: Path) -> dict[str, ast.Module]:
    """Every module of the package by its dotted name."""
    found = {}
    for path in (root / "src/terrashot").rglob("*.py"):
        parts = path.relative_to(root / "src").with_suffix("").parts
        name = ".".join(parts).removesuffix(".__init__")
        found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def imports(tree: ast.Module) -> set[str]:
    """All that a module imports, at its top, in functions, and for type checkers alone."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert not node.level, "imports are written out in full"
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


@pytest.fixture(scope="module")
def house(repository):
    return {name: imports(tree) for name, tree in modules(repository).items()}


def room(module: str) -> str:
    return module.split(".")[1]


def test_every_room_has_its_floor(house):
    assert {room(m) for m in house if m not in FRONT_DOOR} == set(FLOOR)


def test_imports_point_down(house):
    upward = [
        (module, used)
        for module, names in house.items()
        if module not in FRONT_DOOR
        for used in names
        if used in house and used not in FRONT_DOOR and FLOOR[room(used)] > FLOOR[room(module)]
    ]
    assert not upward


def test_no_module_imports_itself_in_a_circle(house):
    graph = {m: {u for u in names if u in house and u != m} for m, names in house.items()}
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_only_training_knows_lightning(house):
    users = {m for m, names in house.items() if any(n.split(".")[0] == "lightning" for n in names)}
    below = {m for m in users if FLOOR[room(m)] < FLOOR["tasks"]}
    assert below == {"terrashot.data.loaders"}


def test_only_the_app_knows_hydra(house):
    users = {
        room(module)
        for module, names in house.items()
        if any(n.split(".")[0] in ("hydra", "omegaconf") for n in names)
    }
    assert users <= {"app"}


def test_nothing_but_the_registry_knows_a_paper(house, repository):
    core = {m for m in house if m not in FRONT_DOOR and room(m) != "papers"}
    wings = [p.name for p in (repository / "src/terrashot/papers").iterdir() if p.is_dir()]
    knowing = {m for m in core for used in house[m] if used.startswith("terrashot.papers.")}
    assert not knowing
    texts = [p for p in (repository / "src/terrashot").rglob("*.py") if "papers" not in p.parts]
    naming = {
        path.name
        for path in texts
        for wing in wings
        if f"terrashot.papers.{wing}" in path.read_text(encoding="utf-8")
    }
    assert naming <= {"registry.py"}


def test_wings_do_not_know_each_other(house):
    strangers = [
        (module, used)
        for module, names in house.items()
        if module.startswith("terrashot.papers.")
        for used in names
        if used.startswith("terrashot.papers.") and used.split(".")[2] != module.split(".")[2]
    ]
    assert not strangers


def test_g4_no_check_of_a_run_is_an_assertion_that_python_o_leaves_out(repository):
    """Asserts may narrow a type; they must not hold what a user can get wrong."""
    for folder in ("app", "papers", "tasks"):
        for path in (repository / "src/terrashot" / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if not isinstance(node, ast.Assert):
                    continue
                narrow = ast.unparse(node.test)
                assert "isinstance" in narrow or "is not None" in narrow, f"{path}: {narrow}"


def test_g6_the_command_line_is_no_hidden_parameter(repository):
    users = {
        path.relative_to(repository / "src/terrashot").as_posix()
        for path in (repository / "src/terrashot").rglob("*.py")
        if "sys.argv" in path.read_text(encoding="utf-8")
    }
    assert users <= {"cli/main.py"}
