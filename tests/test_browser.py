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
import zlib
from contextlib import contextmanager
from pathlib import Path

import pytest

from musiclab import course
from musiclab.course import runs

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium here: apt install chromium"),
]

ALL_CELLS = {"@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"}}
HERE = re.compile(r"(https?|wss?)://(localhost|127\.0\.0\.1)[:/]|data:|blob:|file:.*\.html$|about:")
LESSON, GAMES = "01_tocando_un_poco_de_musica.ipynb", "zona_de_juegos.ipynb"
STORED = sorted(path.name for path in course.NOTEBOOKS.glob("*.ipynb"))

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
    command = [
        str(Path(sys.executable).with_name("musiclab")),
        "lab",
        "--originals",
        "--no-browser",
    ]
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
    pages = ("".join(data.get("text/html", "")) for data in _outputs(notebook))
    return sum(page.count(text) for page in pages)


def _pictures(notebook):
    """Return how many pictures a notebook has stored, in HTML and as outputs of their own."""
    alone = sum(any(kind.startswith("image/") for kind in data) for data in _outputs(notebook))
    return alone + _stored(notebook, "<img")


def _outputs(notebook):
    """Return the data of the outputs that a notebook has stored."""
    cells = json.loads((course.NOTEBOOKS / notebook).read_text(encoding="utf-8"))["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", ())]
    return [output.get("data", {}) for output in outputs]


@pytest.mark.parametrize("notebook", STORED)
@pytest.mark.parametrize("trusted", [False, True], ids=["untrusted", "trusted"])
def test_stored_notebook_sounds_and_shows(lab, watch, notebook, trusted):
    address, env = lab
    if trusted:
        path = course.NOTEBOOKS / notebook
        subprocess.run([sys.executable, "-m", "jupyter", "trust", str(path)], env=env, check=True)
    watched = _open(watch, address, notebook)
    watched.check(_stored(notebook, "<audio"), _pictures(notebook))
    links = watched.page.evaluate(LINKS)
    # JupyterLab takes them out of what it does not trust; the player stays.
    assert len(links) == (_stored(notebook, "<a download") if trusted else 0)
    assert all(href.startswith("data:audio/") for _, href in links), links
    watched.keep(f"{notebook}-{'trusted' if trusted else 'untrusted'}")


@pytest.mark.parametrize("notebook", STORED)
def test_page_of_a_notebook_sounds_and_shows(watch, notebook, tmp_path):
    copy = shutil.copy(course.NOTEBOOKS / notebook, tmp_path)
    runs._settle(Path(copy), course.NOTEBOOKS / notebook)  # as `musiclab run` does
    watched = watch(course.save_html(copy).as_uri())
    watched.check(_stored(notebook, "<audio"), _pictures(notebook))
    watched.keep(f"{notebook}-page")


@pytest.fixture(scope="module")
def small_bundle():
    """The network that the notebook plays, in the cache that its kernel will see.

    Here it may train as long as a busy machine needs: no browser waits for it.
    """
    from musiclab.course import playground

    return playground.small_bundle()


@pytest.fixture
def copy_of_games():
    """The name of a copy, so that nothing is stored in the notebook that students open."""
    copy = course.NOTEBOOKS / f"prueba-{os.getpid()}.ipynb"
    shutil.copy(course.NOTEBOOKS / GAMES, copy)
    yield copy.name
    copy.unlink()


SCORES = """() => [...document.querySelectorAll('.widget-output img[alt^=Partitura]')]
  .map(i => [i.complete, i.naturalHeight, atob(i.src.split(',')[1]).split('class="notehead"').length - 1])"""
SHOWN = """old => {
  const audio = document.querySelector('.widget-output audio')
  const images = [...document.querySelectorAll('.widget-output img')]
  return audio && audio.src != old && images.length && images.every(i => i.complete)
}"""
BUSY = 900_000  # ms: how long a machine with other work may take


def test_panel_writes_a_song_and_saves_it(lab, watch, small_bundle, copy_of_games):
    watched = _open(watch, lab[0], copy_of_games)
    page = watched.page
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()
    write = page.get_by_role("button", name="Escribir")
    write.wait_for(timeout=BUSY)
    page.wait_for_function("!document.querySelector('[data-status=busy]')", timeout=BUSY)
    write.scroll_into_view_if_needed()

    first = _written(page, "Escribir")
    watched.keep("panel")
    watched.check(2, 4)
    assert first == _panel_song(small_bundle, seed=0)

    temperature = page.locator(".widget-hbox", has=page.get_by_text("temperatura"))
    temperature.locator("input[type=text]").fill("1,6")
    temperature.locator("input[type=text]").press("Enter")
    # The kernel has heard of it when it has moved the slider beside.
    handle = temperature.locator("[role=slider]")
    handle.and_(page.locator("[aria-valuenow^='1.6']")).wait_for(timeout=BUSY)
    assert _written(page, "Otra") == _panel_song(small_bundle, seed=1, temperature=1.6)
    watched.keep("panel-1,6")

    page.get_by_role("button", name="Guardar").click()
    said = page.locator(".widget-html", has_text="Guardada en")
    said.wait_for(timeout=BUSY)
    saved = course.NOTEBOOKS / said.inner_text().split("Guardada en ")[1].strip()
    assert saved.is_file() and _drawn(saved.with_suffix(".pdf")) > 20_000

    page.get_by_label("motivo").fill("Ut")
    page.get_by_role("button", name="Escribir").click()
    page.locator(".widget-html", has_text="«Ut» no se entiende").wait_for(timeout=BUSY)
    assert page.locator(".widget-output audio").count() == 0, "an old song below an error"


def _written(page, button):
    """Press a button of the panel, and return how many notes the score that appears has."""
    audio = page.locator(".widget-output audio")
    old = audio.get_attribute("src") if audio.count() else ""
    page.get_by_role("button", name=button).click()
    page.wait_for_function(SHOWN, arg=old, timeout=BUSY)
    systems = page.evaluate(SCORES)
    assert systems and all(done and height > 0 for done, height, _ in systems), systems
    assert all(n_notes > 0 for *_, n_notes in systems), systems
    return sum(n_notes for *_, n_notes in systems)


def _panel_song(bundle, **options):
    """Return how many notes the score of the panel's song has when it is engraved here."""
    from musiclab import engraving
    from musiclab.course import playground

    path = course.NOTEBOOKS / GAMES
    defaults = course.read_parameters(path)
    values = {k.lower(): v for k, v in defaults.items() if k != "OUTPUT_DIR"} | options
    song = playground.write_song(bundle, **values).song
    return sum(svg.count('class="notehead"') for svg in engraving.score_svgs(song))


def _drawn(pdf):
    """Return how many bytes of drawing a PDF's pages have: a title alone has some hundreds."""
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf.read_bytes(), re.DOTALL)
    texts = (_inflated(stream) for stream in streams)
    return sum(len(text) for text in texts if re.search(rb"\d (m|l|c|re)\n", text))


def _inflated(data):
    try:
        return zlib.decompress(data)
    except zlib.error:
        return data


def test_the_graders_pages_fit_a_phone(chromium):
    """Nothing leads out of the page to the right, and no text is smaller than a phone shows well."""
    from musiclab.grading import reporting
    from musiclab.grading.results import ItemResult, RunResult

    code = "def clase_de_altura(a):\n    return " + "a" * 300
    names = ("Ana", "José Luis Ñúñez de la Torre y Montenegro", "x" * 100)
    reasons = ("Has dejado alturas fuera de 0–127.", "incomprensibilísimo" * 6)
    items = [
        ItemResult("clase_de_altura_sin_octava", 0.5, 2.5, "incorrecto", said, said[:4])
        for said in reasons
    ]
    run = RunResult(tuple(items), "none", False, "tiempo", ("ZeroDivisionError en celda",), 1.5)
    class_ = [
        reporting.Graded(name, name, "", "", run, 1.0, 5.0, written=(code,)) for name in names
    ]
    context = chromium.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    for text in (reporting.teacher_page(class_, "T"), reporting.feedback_page(class_[1], "T")):
        page.set_content(text)
        page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        widths = "[document.documentElement, ...document.querySelectorAll('.wide')]"
        assert page.evaluate(f"Math.max(...{widths}.map(e => e.scrollWidth))") <= 390
        smallest = page.evaluate(
            """Math.min(...[...document.querySelectorAll('body *')].map(e =>
            parseFloat(getComputedStyle(e).fontSize) * (e.getScreenCTM ? e.getScreenCTM().a : 1)))"""
        )
        assert smallest >= 11
    context.close()


def test_a_student_sees_no_tools_of_graders(lab, watch):
    watched = _open(watch, lab[0], LESSON)
    menus = watched.page.locator(".lm-MenuBar-itemLabel").all_inner_texts()
    assert "Run" in menus and "Nbgrader" not in menus
    assert watched.page.get_by_role("button", name="Validate").count() == 0
