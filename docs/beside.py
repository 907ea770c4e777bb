"""Pages of the site that stand at the root of the repository, where people look for them."""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

BESIDE = ("CHANGELOG.md", "CONTRIBUTING.md")


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add them, under their names in lower case."""
    root = Path(config.config_file_path).parent
    for name in BESIDE:
        files.append(File.generated(config, name.lower(), abs_src_path=str(root / name)))
    return files
