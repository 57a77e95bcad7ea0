"""A Song becomes tokens, ids and windows, and comes back; each encoding says what it loses."""

from musiclab.encoding.fidelity import fidelity_table
from musiclab.encoding.motifs import motif_tokens
from musiclab.encoding.tokens import (
    ENCODINGS,
    END,
    REST,
    START,
    UNKNOWN,
    decode_song,
    get_encoding,
    prompt_end_ql,
    token_events,
    token_key,
    whole_chords,
)
from musiclab.encoding.vocabulary import Vocabulary, most_common
from musiclab.encoding.windows import make_windows

__all__ = [
    "ENCODINGS",
    "END",
    "REST",
    "START",
    "UNKNOWN",
    "Vocabulary",
    "decode_song",
    "fidelity_table",
    "get_encoding",
    "make_windows",
    "most_common",
    "motif_tokens",
    "prompt_end_ql",
    "token_events",
    "token_key",
    "whole_chords",
]
