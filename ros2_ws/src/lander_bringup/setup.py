"""Install the launch files and the configuration next to the packages that use them."""

from pathlib import Path

from setuptools import setup

PACKAGE = "lander_bringup"
# colcon copies or links this folder into build/ before running it, so find the repository from the real file.
REPOSITORY = Path(__file__).resolve().parents[3]


def share(folder: str) -> list[tuple[str, list[str]]]:
    """Every file under a top-level folder, as setuptools data_files relative to this package."""
    by_target: dict[str, list[str]] = {}
    for file in sorted((REPOSITORY / folder).rglob("*.yaml")):
        target = f"share/{PACKAGE}/{file.parent.relative_to(REPOSITORY)}"
        by_target.setdefault(target, []).append(str(file))
    return list(by_target.items())


setup(
    name=PACKAGE,
    version="0.1.0",
    packages=[],
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
        *share("launch"),
        *share("config"),
    ],
    zip_safe=False,
    license="Apache-2.0",
)
