"""A Song becomes a score: bars, rhythm, staves, MEI, and verovio's pictures of it."""

from musiclab.engraving.score import save_pdf, score_svgs, sheet

__all__ = ["save_pdf", "score_svgs", "sheet"]
