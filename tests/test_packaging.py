"""The package installs, imports lightly, and its lists of dependencies agree."""

import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import scalekit as sk

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
CONDA = {"matplotlib": "matplotlib-base"}  # conda-forge's name for matplotlib without a Qt window


def python(code, cwd=None):
    """Run code in a new interpreter, return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=cwd, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def base(requirement):
    return re.match(r"[A-Za-z0-9._-]+", requirement)[0].lower().replace("_", "-")


# ---- lists ---------------------------------------------------------------------------------------


def test_the_conda_environment_is_that_of_pyproject():
    text = (ROOT / "environment.yml").read_text()
    listed = re.findall(r"^  - ([A-Za-z].*[^:])$", text, flags=re.M)
    wanted = [
        f"python{PROJECT['requires-python']}",
        "pip",
        *PROJECT["dependencies"],
        *EXTRAS["test"],
    ]
    renamed = [CONDA.get(base(w), base(w)) + w[len(base(w)) :] for w in wanted]
    assert listed == ["conda-forge", *renamed]
    assert re.search(r"- pip:\n\s+- -e \.\s*$", text)


def test_the_lock_pins_every_dependency_and_nothing_of_a_machine():
    text = (ROOT / "requirements.lock").read_text()
    lines = text.splitlines()
    assert all(re.fullmatch(r"[a-z0-9.-]+==[^\s;]+( ; .+)?", line) for line in lines)
    assert "/" not in text
    everything = [*PROJECT["dependencies"], *(r for extra in EXTRAS.values() for r in extra)]
    assert {base(r) for r in everything} <= {base(line) for line in lines}


def test_versions_agree():
    assert sk.__version__ == PROJECT["version"]
    assert f"version: {sk.__version__}\n" in (ROOT / "CITATION.cff").read_text()


# ---- import --------------------------------------------------------------------------------------


def test_import_is_light():
    code = "import sys, json, scalekit; print(json.dumps(sorted(sys.modules)))"
    loaded = set(json.loads(python(code)))
    assert not loaded & {
        "sympy",
        "seaborn",
        "matplotlib",
        "ipywidgets",
        "joblib",
        "scipy",
        "pandas",
    }


def test_loading_a_table_draws_nothing_in():
    code = "import sys, json, scalekit as sk; sk.load('chinchilla')"
    code += "; print(json.dumps(sorted(sys.modules)))"
    assert not set(json.loads(python(code))) & {
        "sympy",
        "seaborn",
        "matplotlib",
        "ipywidgets",
        "joblib",
    }


def test_unknown_names_are_attribute_errors_and_dir_lists_the_public_ones():
    with pytest.raises(AttributeError, match="has no attribute 'ffit'"):
        _ = sk.ffit
    assert set(sk.__all__) <= set(dir(sk))


@pytest.mark.parametrize("name", sk.__all__)
def test_every_public_name_resolves(name):
    assert getattr(sk, name) is getattr(sk, name)


def test_the_names_are_of_the_modules_that_they_are_said_to_be_in():
    for name in ("fit", "law", "published", "check", "trend", "chain", "Scoreboard", "checklist"):
        assert getattr(sk, name).__module__.startswith("scalekit.")
    assert sk.Scoreboard.__module__ == "scalekit.book.board"
    assert sk.flops.__name__ == "scalekit.answers.flops"


def test_no_module_at_the_top_is_named_like_a_public_name():
    # `import scalekit.fit` would put the module where the function belongs.
    top = {path.stem for path in (ROOT / "scalekit").iterdir() if not path.stem.startswith("_")}
    assert not top & set(sk.__all__)


# ---- wheel ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder with nothing but the contents of the wheel, built once."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("scalekit-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def installed(site, *arguments, code=0):
    """Run Python on the wheel alone, from a folder outside the repository; return its output."""
    done = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        cwd=site.parent,
        env={**os.environ, "PYTHONPATH": str(site)},
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def test_the_wheel_holds_the_package_and_its_data(site):
    odd = [p for p in site.iterdir() if p.name != "scalekit" and p.suffix != ".dist-info"]
    assert odd == []
    package = site / "scalekit"
    assert (package / "py.typed").is_file()
    for kind in ("laws/*.toml", "exercises/*.toml", "*.csv", "*.meta.json"):
        there = {path.name for path in (ROOT / "data").glob(kind)}
        assert there
        assert {path.name for path in (package / "_data").glob(kind)} == there
    modules = {path.relative_to(ROOT / "scalekit") for path in (ROOT / "scalekit").rglob("*.py")}
    assert {path.relative_to(package) for path in package.rglob("*.py")} == modules


def test_an_installed_wheel_finds_its_tables_and_laws(site):
    code = "import scalekit as sk; runs = sk.load('chinchilla')"
    code += "; print(sk.__file__, len(runs), len(sk.datasets()), len(sk.laws()))"
    where, *counts = installed(site, "-c", code).split()
    assert Path(where).is_relative_to(site)
    assert counts == ["245", str(len(sk.datasets())), str(len(sk.laws()))]


def test_the_commands_work_from_an_installed_wheel(site):
    command = ["-m", "scalekit"]
    assert installed(site, *command, "--help").startswith("usage: python -m scalekit ")
    board = installed(site, *command, "scoreboard")
    assert board == python("import scalekit.__main__ as m; m.main(['scoreboard'])") + "\n"
    assert json.loads(installed(site, *command, "scoreboard", "--json"))
    # the notebooks come with the repository, and the message says so
    assert "Clone it" in installed(site, *command, "reproduce", code=2)
    page = site / "scalekit" / "_data" / "README.md"
    page.unlink(missing_ok=True)
    installed(site, *command, "catalogue")
    assert page.read_text() == (ROOT / "data" / "README.md").read_text()


def test_loading_works_from_any_directory(tmp_path):
    assert python("import scalekit as sk; print(len(sk.load('chinchilla')))", cwd=tmp_path) == "245"
