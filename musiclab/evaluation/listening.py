"""A blind test counted: how many listeners were right, and how often luck does so well.

Conventions: pieces are letters; a vote is the letter of the piece that a
listener takes for a person's. Who guesses blindly is right once in as many
times as there are pieces, and independently of the others, so that the
number of right votes follows a binomial distribution.
"""

from dataclasses import dataclass
from math import comb

from musiclab.errors import ParameterError


@dataclass(frozen=True)
class BlindTest:
    """What came of a blind test.

    n: how many votes there were; n_right: how many of them were right
    chance: the probability of so many right ones or more by luck, from 0 to 1
    """

    n: int
    n_right: int
    chance: float

    def __str__(self):
        if not self.n:
            return "nadie ha votado todavía"
        votes = "1 voto" if self.n == 1 else f"{self.n} votos"
        right = "1 acierto" if self.n_right == 1 else f"{self.n_right} aciertos"
        percents = f"{100 * self.chance:.1f}".replace(".", ",")
        return f"{votes}, {right}; por suerte habría tantos o más el {percents} % de las veces"


def count_votes(votes, truth, pieces="ABC"):
    """Return the BlindTest of the votes.

    votes: a letter a listener, as a text or a list; small letters are as good,
        spaces and commas between them count for nothing
    truth: the letter of the piece that is a person's
    pieces: the letters of all of them, two or more

    Raises ParameterError for a letter that is no piece's.
    """
    letters = _letters("las piezas", pieces)
    if len(set(letters)) < max(2, len(letters)):
        raise ParameterError(
            f"las piezas son «{pieces!s:.40}» y deben ser al menos dos letras distintas, como ABC"
        )
    (right,) = _known_votes("la solución", [truth], letters)
    given = _known_votes("un voto", _letters("los votos", votes), letters)
    n_right = given.count(right)
    chance = chance_by_luck(n_right, len(given), len(letters))
    return BlindTest(len(given), n_right, chance)


def chance_by_luck(n_right, n, n_pieces):
    """Return the probability of n_right or more right ones among n blind guesses.

    n_pieces: among how many pieces each guess chooses
    """
    # Of all n_pieces**n ways to vote, those with k right ones; whole numbers lose nothing.
    ways = 0
    for k in range(n_right, n + 1):
        n_wrong = n - k
        # Who is right, and which of the other pieces each of the rest took.
        ways += comb(n, k) * (n_pieces - 1) ** n_wrong
    return ways / n_pieces**n


def _letters(what, text):
    """Return the letters of a text or of a list of texts, as capitals."""
    try:
        return ["".join(item.split()).upper() for item in text if item.strip(" ,;\n\t")]
    except (AttributeError, TypeError):
        raise ParameterError(
            f"{what} son {text!r:.40} y deben ser letras, como «ABCA» o [«A», «B»]"
        ) from None


def _known_votes(what, given, letters):
    """Return the given letters as capitals; raise ParameterError for one that is no piece's."""
    capitals = [letter.strip().upper() if isinstance(letter, str) else letter for letter in given]
    for letter in capitals:
        if letter not in letters:
            *others, last = letters
            raise ParameterError(
                f"{what} es «{letter!s:.40}» y debe ser {', '.join(others)} o {last}"
            )
    return capitals
