"""What a song has copied: the longest run that it shares with others, in any key."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class CopiedRun:
    """Events in a row that a song shares with another one, and where they stand in both.

    length: in events; 0 where nothing is shared, and then the rest is empty
    start, onset_ql: of its first event in the song
    source_index, source: of the other song, and its name
    source_start, source_onset_ql: of its first event in the other song
    semitones: how much higher the song has it
    """

    length: int = 0
    start: int = 0
    onset_ql: float = 0.0
    source_index: int = 0
    source: str = ""
    source_start: int = 0
    source_onset_ql: float = 0.0
    semitones: int = 0

    def __str__(self):
        if not self.length:
            return "no comparte ninguna nota"
        key = f"a {self.semitones:+d} semitonos" if self.semitones else "en la misma tonalidad"
        return (
            f"comparte {self.length} notas o acordes seguidos, desde la negra {self.onset_ql:g}, "
            f"con «{self.source}», desde la negra {self.source_onset_ql:g}, {key}"
        )


def copied_run(song, songs):
    """Return the longest CopiedRun of a song in any of the others, in any key.

    An event is what begins and ends together in any part (`Song.chords`), and
    the numbers of a CopiedRun count those. Two runs of events are the same
    when one number of semitones leads from every pitch of the one to that of
    the other; with a note an octave away they differ. Times do not count: a
    melody is no less copied for being played to another rhythm. But where
    voices overlap, times decide which notes are one event and which of them
    comes first. Of equals, it is the run that ends first in the song.
    """
    # Songs as numbers that are the same in any key.
    chords = {}
    theirs = [_chords_and_steps(other, chords) for other in songs]
    ours = _chords_and_steps(song, chords)
    length, start, k, source_start = _longest_common_run(ours, theirs)
    if not length:
        return CopiedRun()
    # Where the run begins in both.
    event = song.chords()[start]
    source = songs[k].chords()[source_start]
    return CopiedRun(
        length=length,
        start=start,
        onset_ql=event.onset_ql,
        source_index=k,
        source=songs[k].source,
        source_start=source_start,
        source_onset_ql=source.onset_ql,
        semitones=event.pitches[0] - source.pitches[0],
    )


_NO_STEP = 128  # to the first symbol of a song; the bass cannot move so far


def _chords_and_steps(song, chords):
    """Return what a key does not change: each chord from its bass on, and how far the bass moved.

    chords: {intervals: number}, to which new ones are added
    Returns two int32 arrays (n_events,), numbers and semitones.
    """
    numbers, bass = [], []
    for event in song.chords():
        # The semitones above the bass: a chord of another key has the same.
        lowest = event.pitches[0]
        intervals = tuple(pitch - lowest for pitch in event.pitches)
        number = chords.setdefault(intervals, len(chords))
        numbers.append(number)
        bass.append(lowest)
    steps = np.full(len(numbers), _NO_STEP, dtype=np.int32)
    steps[1:] = np.diff(bass)
    return np.array(numbers, dtype=np.int32), steps


def _longest_common_run(ours, theirs):
    """Return (length, start, k, start in song k) of the longest run that one of them shares.

    ours: (symbols, steps) as `_chords_and_steps` gives them; theirs: a list of such pairs
    """
    # All their songs in one line; a first symbol's step is like no other, so no run crosses.
    starts = np.cumsum([0, *(len(symbols) for symbols, _ in theirs)])
    nothing = np.zeros(0, dtype=np.int32)
    symbols = np.concatenate([nothing, *(symbols for symbols, _ in theirs)])
    steps = np.concatenate([nothing, *(steps for _, steps in theirs)])
    # lengths[j + 1]: of the run that ends at our symbol t and at their symbol j
    lengths = np.zeros(len(symbols) + 1, dtype=np.int32)
    length = end = their_end = 0
    for t, (symbol, step) in enumerate(zip(*ours, strict=True), start=1):
        # A run goes on where the step to this symbol is the same, and begins anew elsewhere.
        longer = 1 + np.where(steps == step, lengths[:-1], 0)
        lengths[1:] = np.where(symbols == symbol, longer, 0)
        # Is one of them the longest so far?
        longest = int(lengths.argmax())
        if lengths[longest] > length:
            length = int(lengths[longest])
            end, their_end = t, longest
    if not length:
        return 0, 0, 0, 0
    # In which of their songs it lies, and how far from its beginning.
    their_start = their_end - length
    k = int(np.searchsorted(starts, their_start, side="right")) - 1
    return length, end - length, k, their_start - int(starts[k])
