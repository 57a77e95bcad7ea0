"""Tokens to ids and back: each token of the training songs has one number."""

from collections import Counter
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np

from musiclab.encoding.tokens import UNKNOWN, token_key
from musiclab.errors import VocabularyError


@dataclass(frozen=True)
class Vocabulary:
    """The tokens that have an id: token k has id k.

    Id 0 is the unknown symbol; then come START, END, the hold and the rests,
    then the notes from low to high and from short to long, then the chords
    by their numbers of notes and pitches.
    """

    tokens: tuple[str, ...]

    def __post_init__(self):
        if (
            not self.tokens
            or not all(isinstance(token, str) for token in self.tokens)
            or self.tokens[0] != UNKNOWN
            or len(set(self.tokens)) < len(self)
        ):
            raise VocabularyError(
                "el vocabulario está dañado: debe empezar por el símbolo desconocido y no "
                "repetir ninguno; vuelve a crearlo con Vocabulary.fit"
            )
        object.__setattr__(self, "_ids", {token: k for k, token in enumerate(self.tokens)})

    @classmethod
    def fit(cls, sequences):
        """Return the vocabulary of the token sequences of the training songs."""
        found = {token for tokens in sequences for token in tokens} - {UNKNOWN}
        return cls((UNKNOWN, *sorted(found, key=token_key)))

    def __len__(self):
        return len(self.tokens)

    def to_ids(self, tokens, strict=False):
        """Return an int32 array (n_tokens,); tokens that it lacks become id 0.

        Raises VocabularyError for the first of those if strict.
        """
        ids = [self._ids.get(token, 0) for token in tokens]
        missing = [token for token in tokens if token not in self._ids] if strict else []
        if missing:
            # Those that are written alike, or just the first.
            near = get_close_matches(missing[0], self.tokens[1:], n=3) or self.tokens[1:4]
            raise VocabularyError(
                f"el vocabulario no tiene «{missing[0]}», que no sale en las canciones de "
                f"entrenamiento: prueba con {' o '.join(near)}"
            )
        return np.array(ids, dtype=np.int32)

    def to_tokens(self, ids):
        """Return the list of tokens of an array of ids (n_ids,)."""
        return [self.tokens[k] for k in ids]


def most_common(sequences, n):
    """Return the n commonest tokens as (token, count) pairs, commonest first."""
    counts = Counter()
    for tokens in sequences:
        counts.update(tokens)
    return counts.most_common(n)
