"""What a student sees: real JupyterLab in headless Chromium, nothing fetched from elsewhere.

Needs Chromium, from the distribution's packages: without it all of this is skipped.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

from musiclab import running

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium here: apt install chromium"),
]

ALL_CELLS = {"@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"}}
HERE = re.compile(r"(https?|wss?)://(localhost|127\.0\.0\.1)[:/]|data:|blob:|file:.*\.html$|about:")
LESSON, GAMES = "01_tocando_un_poco_de_musica.ipynb", "zona_de_juegos.ipynb"
STORED = sorted(path.name for path in running.NOTEBOOKS.glob("*.ipynb"))

PLAY = """async () => {
  const heard = []
  for (const audio of document.querySelectorAll('audio')) {
    audio.muted = true
    await audio.play()
    const late = Date.now() + 20000
    while (audio.currentTime < 0.2 && Date.now() < late) await new Promise(r => setTimeout(r, 50))
    heard.push([audio.duration, audio.currentTime])
    audio.pause()
  }
  return heard
}"""
IMAGES = """() => [...document.querySelectorAll('.jp-Cell img, .jp-OutputArea img, main img')]
  .map(i => [i.alt.slice(0, 30) || 'figura', i.complete, i.naturalWidth, i.naturalHeight])"""
LINKS = """() => [...document.querySelectorAll('a[download]')]
  .map(a => [a.download, a.getAttribute('href').slice(0, 22)])"""


class Watched:
    """A page, and what went wrong in it."""

    def __init__(self, page):
        self.page, self.elsewhere, self.errors = page, [], []
        page.on("request", lambda r: None if HERE.match(r.url) else self.elsewhere.append(r.url))
        page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def check(self, n_players, n_images):
        """Every player plays, every picture shows, nothing was fetched, nothing was said."""
        heard, seen = self.page.evaluate(PLAY), self.page.evaluate(IMAGES)
        assert len(heard) >= n_players and all(d > 1 and t >= 0.2 for d, t in heard), heard
        assert len(seen) >= n_images, seen
        assert all(done and width > 100 and height > 30 for _, done, width, height in seen), seen
        assert self.elsewhere == [] and self.errors == []

    def keep(self, name):
        """Leave a picture where MUSICLAB_SCREENSHOTS says, to be looked at."""
        if folder := os.environ.get("MUSICLAB_SCREENSHOTS"):
            self.page.screenshot(path=Path(folder) / f"{name}.png")


@pytest.fixture(scope="module")
def chromium():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield browser
        browser.close()


@pytest.fixture
def watch(chromium):
    """Return a function that opens an address in a new page of its own."""
    contexts = []

    def watch(url):
        contexts.append(chromium.new_context(viewport={"width": 1300, "height": 1000}))
        watched = Watched(contexts[-1].new_page())
        watched.page.goto(url)
        return watched

    yield watch
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Return (address, environment) of a JupyterLab that knows no user and trusts no notebook."""
    home = tmp_path_factory.mktemp("jupyter")
    for plugin, settings in ALL_CELLS.items():
        path = home / "config" / "lab" / "user-settings" / f"{plugin}.jupyterlab-settings"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(settings))
    places = {"CONFIG": "config", "DATA": "data", "RUNTIME": "runtime"}
    env = os.environ | {f"JUPYTER_{name}_DIR": str(home / place) for name, place in places.items()}
    with _server(env, home / "log") as address:
        yield address, env


@contextmanager
def _server(env, log):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).with_name("musiclab")), "lab", "--no-browser"]
    command += [f"--port={port}", "--ip=127.0.0.1", "--allow-root", "--IdentityProvider.token=x"]
    with open(log, "w") as out:
        server = subprocess.Popen(command, env=env, stdout=out, stderr=out, start_new_session=True)
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api?token=x").close()
                break
            except OSError:
                assert server.poll() is None, Path(log).read_text()
                time.sleep(0.25)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, signal.SIGKILL)


def _open(watch, address, notebook):
    """Open a notebook in JupyterLab, and wait for what is stored in it to be drawn."""
    watched = watch(f"{address}/lab/tree/notebooks/{notebook}?token=x&reset")
    watched.page.wait_for_selector(".jp-Notebook .jp-OutputArea-output", timeout=90_000)
    watched.page.wait_for_function(
        f"document.querySelectorAll('audio').length >= {_stored(notebook, '<audio')}",
        timeout=60_000,
    )
    return watched


def _stored(notebook, text):
    """Return how often a text stands in the HTML outputs that a notebook has stored."""
    cells = json.loads((running.NOTEBOOKS / notebook).read_text(encoding="utf-8"))["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", ())]
    pages = ("".join(output.get("data", {}).get("text/html", "")) for output in outputs)
    return sum(page.count(text) for page in pages)


@pytest.mark.parametrize("notebook", STORED)
@pytest.mark.parametrize("trusted", [False, True], ids=["untrusted", "trusted"])
def test_stored_notebook_sounds_and_shows(lab, watch, notebook, trusted):
    address, env = lab
    if trusted:
        path = running.NOTEBOOKS / notebook
        subprocess.run([sys.executable, "-m", "jupyter", "trust", str(path)], env=env, check=True)
    watched = _open(watch, address, notebook)
    watched.check(_stored(notebook, "<audio"), 1 + _stored(notebook, "<img"))
    links = watched.page.evaluate(LINKS)
    # JupyterLab takes them out of what it does not trust; the player stays.
    assert len(links) == (_stored(notebook, "<a download") if trusted else 0)
    assert all(href.startswith("data:audio/") for _, href in links), links
    watched.keep(f"{notebook}-{'trusted' if trusted else 'untrusted'}")


@pytest.mark.parametrize("notebook", STORED)
def test_page_of_a_notebook_sounds_and_shows(watch, notebook, tmp_path):
    copy = shutil.copy(running.NOTEBOOKS / notebook, tmp_path)
    running._settle(Path(copy), running.NOTEBOOKS / notebook)  # as `musiclab run` does
    watched = watch(running.save_html(copy).as_uri())
    watched.check(_stored(notebook, "<audio"), 1 + _stored(notebook, "<img"))
    watched.keep(f"{notebook}-page")


def test_panel_writes_a_song_and_saves_it(lab, watch, tmp_path):
    # A copy, so that nothing is stored in the notebook that students open.
    name = f"prueba-{os.getpid()}.ipynb"
    copy = running.NOTEBOOKS / name
    shutil.copy(running.NOTEBOOKS / GAMES, copy)
    try:
        watched = _open(watch, lab[0], name)
        page = watched.page
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_text("Run All Cells", exact=True).click()
        write = page.get_by_role("button", name="Escribir")
        write.wait_for(timeout=240_000)
        page.wait_for_function("!document.querySelector('[data-status=busy]')", timeout=240_000)
        write.scroll_into_view_if_needed()
        write.click()
        panel = page.locator(".jupyter-widgets.widget-output")
        panel.locator("audio").wait_for(state="attached", timeout=120_000)
        page.wait_for_timeout(1000)
        watched.keep("panel")
        watched.check(2, 4)
        before = panel.locator("audio").get_attribute("src")
        page.get_by_role("button", name="Otra").click()
        page.wait_for_function(
            "old => document.querySelector('.widget-output audio')?.src != old", arg=before
        )
        page.get_by_role("button", name="Guardar").click()
        said = page.locator(".widget-html", has_text="Guardada en")
        said.wait_for(timeout=60_000)
        saved = Path(said.inner_text().split("Guardada en ")[1].strip())
        assert saved.is_file() or (running.NOTEBOOKS / saved).is_file()
    finally:
        copy.unlink()
