"""Songs as sheet music, in the notebook and as PDF, offline.

A song becomes MEI (see `mei`), and `verovio` engraves it, a system a picture.
"""

from pathlib import Path

from IPython.display import HTML

from musiclab.engraving.mei import MAX_BARS, score_mei
from musiclab.errors import MusiclabError
from musiclab.files import data_url, write_bytes

MAX_BARS_PDF = 500  # unless more are asked for
VEROVIO = {
    "adjustPageHeight": True,
    "condense": "none",
    "footer": "none",
    "header": "none",
    "pageHeight": 60_000,
    "pageWidth": 2_000,
    "scale": 45,
    "svgFormatRaw": True,
    "systemMaxPerPage": 1,
    "xmlIdSeed": 1,
}
TYPST = """
#set page(paper: "a4", margin: 15mm, numbering: "1")
#set text(font: "Libertinus Serif", lang: "es")
#set document(title: sys.inputs.title, date: none)
#align(center, text(size: 18pt, sys.inputs.title))
#let system(name) = layout(size => {
  let tall = measure(image(name, width: size.width)).height > 250mm
  if tall { image(name, height: 250mm) } else { image(name) }
})
#for k in range(int(sys.inputs.n)) { system(str(k) + ".svg") }
#sys.inputs.note
"""


def score_svgs(song, max_bars=MAX_BARS):
    """Return the systems of a song's score, from the first to the last, as SVG texts.

    The same song gives the same texts. For max_bars and errors see `score_mei`.
    """
    return _engraved(score_mei(song, max_bars)[0])


def sheet(song, max_bars=MAX_BARS):
    """Return the score of a song for the notebook, with its systems as pictures inside.

    It shows offline, in a notebook that is not trusted, and in its HTML page.
    For max_bars and errors see `score_mei`.
    """
    mei, left_out = score_mei(song, max_bars)
    svgs = _engraved(mei)
    images = ""
    for k, svg in enumerate(svgs, start=1):
        images += (
            f'<img alt="Partitura, sistema {k} de {len(svgs)}"'
            ' style="display:block;background:white;max-width:100%"'
            f' src="{data_url(svg.encode(), "image/svg+xml")}">'
        )
    note = f"<p>{left_out}</p>" if left_out else ""
    return HTML(f'<figure style="margin:0.5em 0">{images}{note}</figure>')


def save_pdf(song, path, title="", max_bars=MAX_BARS_PDF):
    """Write the score of a song as PDF, A4, and return its path.

    The same song gives the same bytes. For max_bars and errors see `score_mei`;
    raises OutputError where the file cannot be written.
    """
    import typst

    mei, left_out = score_mei(song, max_bars)
    systems = {f"{k}.svg": svg.encode() for k, svg in enumerate(_engraved(mei))}
    pdf = typst.compile(
        {"main.typ": TYPST.encode(), **systems},
        font_paths=typst.Fonts(include_system_fonts=False),  # the same on every machine
        sys_inputs={"title": title, "note": left_out, "n": str(len(systems))},
    )
    return write_bytes(path, pdf)


def _engraved(mei):
    """Return the pages of a MEI text as SVG texts, one system each.

    Raises MusiclabError where verovio draws none.
    """
    import verovio

    verovio.enableLog(verovio.LOG_OFF)
    # Each thread has a path of its own, and importing sets that of one thread alone.
    verovio.setDefaultResourcePath(str(Path(verovio.__file__).parent / "data"))
    toolkit = verovio.toolkit()
    toolkit.setOptions(VEROVIO)
    loaded = toolkit.loadData(mei)
    n_pages = toolkit.getPageCount() if loaded else 0
    if n_pages == 0:
        raise MusiclabError(
            f"verovio {toolkit.getVersion()} no ha dibujado ninguna página de la partitura: "
            "reinstala el entorno (make env) y, si sigue igual, avisa de qué canción es"
        )
    return [toolkit.renderToSVG(page) for page in range(1, n_pages + 1)]
