"""A reader at a terminal: types what a page shows, top to bottom, with files and versions of their own."""

import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from tests.e2e.conftest import Project, make_project
from tests.e2e.servers import free_port, served

TYPED = {"distillery", "dvc", "python", "git", "cd"}
SETTINGS = (
    "student.model.width=5",  # what pages set is another one
    "promotion.accuracy.margin=100", "promotion.macro_f1.margin=100", "promotion.forgetting.max_drop=100",
    "promotion.per_class.max_class_drop=100", "promotion.footprint.max_bytes_ratio=null",
    "promotion.footprint.max_peak_ratio=null", "promotion.latency.max_p50_ratio=null",
    "promotion.latency.max_p95_ratio=null",
)  # fmt: skip


@dataclass
class Reader:
    """Who types, where they are, and what they put for the words that are to be replaced."""

    project: Project
    means: dict

    def type(self, command):
        words = [self.means.get((command.verb, word), self.means.get(word, word)) for word in command.words]
        getattr(self, words[0])(*words[1:])

    def distillery(self, verb, *words):
        if verb != "serve":
            self.project(verb, *words)
            return
        with served(self.project, *words) as (process, _, log):
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0, log.read_text()

    def dvc(self, *words):
        self.run(sys.executable, "-m", "dvc", *words)

    def python(self, *words):
        self.run(sys.executable, *words)

    def git(self, verb, name):
        assert verb == "clone"
        self.run("git", "clone", "--quiet", str(self.project.folder), name)

    def cd(self, name):
        here, there = self.project.folder, self.project.folder / name
        shutil.copytree(here / ".distillery/mlflow", there / ".distillery/mlflow")  # "put back"
        self.project = Project(there)

    def run(self, *words):
        done = subprocess.run(
            words, cwd=self.project.folder, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, (words, done.stdout[-2000:], done.stderr[-2000:])


def write_images(folder, rows, side=8):
    """Digits as PNG files, in a folder for each class."""
    digits = load_digits()
    for at in rows:
        place = folder / str(digits.target[at])
        place.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray((digits.images[at] * 15.9).astype(np.uint8))
        image.resize((side, side)).save(place / f"{at}.png")


def write_files(folder):
    """Everything that a page calls by name: rows of every kind, images, a table."""
    import pandas as pd

    write_images(folder / "flowers", range(600))
    write_images(folder / "later", range(600, 720))
    write_images(folder / "more", range(1200, 1300))
    write_images(folder / "photos", range(720, 1200), side=12)
    (folder / "scans").mkdir()
    for file in sorted((folder / "later").rglob("*.png"))[:20]:
        shutil.copy(file, folder / "scans" / file.name)
    pixels = (load_digits().images[:20] * 15.9).astype(np.uint8)
    np.savetxt(folder / "rows.csv", pixels.reshape(20, -1), fmt="%d", delimiter=",")
    np.savez(folder / "rows.npz", input=pixels[..., None])
    encoded = [file.read_bytes() for file in sorted((folder / "scans").iterdir())]
    pd.DataFrame({"image": encoded}).to_parquet(folder / "rows.parquet")
    random = np.random.default_rng(0)
    table = pd.DataFrame({"height": random.normal(size=300), "width": random.normal(size=300)})
    table.assign(kind=np.where(table.height > table.width, "tall", "wide")).to_csv(
        folder / "table.csv", index=False
    )


def make_desk(folder):
    """A project with a past: two versions of its data, stored; champions, a challenger, one that waits."""
    project = make_project(folder / "project")
    write_files(project.folder)
    change_params(project)
    run = Reader(project, {}).run
    project("data", "import", "flowers")
    commit(run, "first")
    run(sys.executable, "-m", "dvc", "remote", "add", "-d", "shelf", str(folder / "shelf"))
    project("data", "add", "later")
    project("run")
    better, waiting = without_alias(project)
    project("promote", better)
    project("promote", waiting, "--set", "promotion.approval=manual")
    project("run", "--set", "runtime.seed=1")
    commit(run, "second")
    project("data", "push")
    return project


def without_alias(project):
    """The int8 versions that nobody uses, the oldest first."""
    rows = project("models", "--json").json
    spare = [row["version"] for row in rows if "int8" in row["name"] and not row["aliases"]]
    return sorted(spare, key=int)


def change_params(project):
    """So few rows would pass no gate."""
    import yaml

    from distillery.params.project import overlaid, parse_setting, read_tree

    file = project.folder / "params.yaml"
    tree = read_tree(file)
    for setting in SETTINGS:
        tree = overlaid(tree, parse_setting(setting))
    file.write_text(yaml.safe_dump(tree, sort_keys=False))


def commit(run, message):
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
    run("git", "add", ".")
    run("git", *identity, "commit", "--quiet", "-m", message)


def meanings(project):
    """What the words of the pages mean on this desk."""
    spare = without_alias(project)[-1]
    run = sorted(page.name for page in (project.folder / "reports").iterdir())[0]
    earlier = project("history", "--json").json["events"][0]["to"]
    port = str(free_port())
    return {
        "SOURCE": "flowers", "TEXT": "looked at its page", "DIR": "older", "4200": port, "0d84": run[:8],
        ("data", "A"): "HEAD~1", ("data", "B"): "HEAD", ("compare", "A"): "champion",
        ("compare", "B"): "challenger", ("predict", "7"): spare, ("rollback", "VERSION"): earlier,
        ("promote", "VERSION"): spare,
        "/mnt/backup/digits": str(project.folder.parent / "store"), "scans/": "scans",
    }  # fmt: skip
