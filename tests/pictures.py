"""Make every picture of README again, and run the notebooks: ``make pictures``.

The pictures come from ``cim demo``. One that looks like the picture already kept leaves it
alone, so that a run on another machine changes no file without a reason. The executed
notebooks lie in ``out/pictures``, with their pictures inside.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from tests.likeness import alike
from tests.model_pictures import draw_models
from tests.scenes.browser import missing, open_browser

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "data" / "wudadao" / "pictures"
OUT = ROOT / "out" / "pictures"


def main() -> int:
    """Draw, compare, replace what looks different; run the notebooks."""
    OUT.mkdir(parents=True, exist_ok=True)
    cim = Path(sys.executable).with_name("cim")
    done = subprocess.run([cim, "demo", "-o", OUT], cwd=ROOT, check=False)
    if done.returncode:
        return done.returncode
    twin, sheet = OUT / "wudadao.cim", OUT / "map.png"
    words = ["--by", "height_m", "--scale", "10000", "--lang", "zh"]
    subprocess.run([cim, "map", twin, "-o", sheet, *words], cwd=ROOT, check=True)
    smaller(sheet, 1280)
    page(twin, OUT / "page.png")
    draw_models(twin, OUT)
    for fresh in sorted(OUT.glob("*.png")):
        lighter(fresh)
        print(f"{fresh.name}: {keep(fresh, KEPT / fresh.name)}")
    for notebook in sorted((ROOT / "notebooks").glob("*.ipynb")):
        run(notebook, OUT / notebook.name)
        print(f"{notebook.name}: executed into {(OUT / notebook.name).relative_to(ROOT)}")
    return 0


def page(twin: Path, png: Path) -> None:
    """Draw the page of the flood at its peak in a real browser, where there is one."""
    if missing():
        print(f"page.png: not drawn, {missing()} not installed")
        return
    html = png.with_suffix(".html")
    words = ["--run", "flood-0001", "--field", "depth_m", "--size", "1280x720"]
    cim = Path(sys.executable).with_name("cim")
    subprocess.run([cim, "render", twin, "-o", html, *words], cwd=ROOT, check=True)
    with tempfile.TemporaryDirectory() as profile, open_browser(Path(profile)) as browser:
        browser.open(html)
        browser.run("return window.cim.show(8)")
        browser.run("window.cim.camera.far *= 0.62; window.cim.redraw()")
        Image.fromarray(browser.picture()).save(png, optimize=True)


def smaller(path: Path, width: int) -> None:
    """Shrink a picture to a width."""
    image = Image.open(path).convert("RGB")
    height = round(image.height * width / image.width)
    image.resize((width, height), Image.Resampling.LANCZOS).save(path, optimize=True)


def lighter(path: Path) -> None:
    """Save a picture in the 256 colours that suit it best: a third of the bytes."""
    image = Image.open(path).convert("RGB")
    few = image.quantize(256, Image.Quantize.MEDIANCUT, kmeans=2, dither=Image.Dither.NONE)
    few.save(path, optimize=True)


def keep(fresh: Path, kept: Path) -> str:
    """Put a fresh picture in the kept one's place unless both look the same; say which."""
    if kept.exists() and alike(fresh, kept):
        return "looks the same, kept"
    told = "replaced" if kept.exists() else "new"
    shutil.copyfile(fresh, kept)
    return told


def run(notebook: Path, out: Path) -> None:
    """Execute a notebook into a copy."""
    import nbformat
    from nbclient import NotebookClient

    pages = nbformat.read(notebook, as_version=4)
    where = {"metadata": {"path": str(notebook.parent)}}
    client = NotebookClient(pages, timeout=600, kernel_name="python3", resources=where)
    nbformat.write(client.execute(), out)


if __name__ == "__main__":
    raise SystemExit(main())
