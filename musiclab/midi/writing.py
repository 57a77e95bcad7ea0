"""A song to the bytes of a MIDI file: 480 ticks a quarter, a track a part, the same bytes each time."""

import numpy as np
import symusic

from musiclab.files import write_bytes
from musiclab.midi.mending import joined, mend
from musiclab.midi.tables import OFF, ON, PART, PITCH, VELOCITY, settled, table_of

TICKS_PER_QUARTER = 480
N_CHANNELS = 15  # of sixteen one is the drums'
MODES = ("major", "minor")
SLOWEST_BPM, FASTEST_BPM = 4, 1000  # MIDI holds tempos from 3.6 quarters a minute


def save_midi(song, path):
    """Write a song as a MIDI file, whole or not at all, and return its path.

    Raises OutputError when it cannot be written.
    """
    return write_bytes(path, song_to_midi(song))


def song_to_midi(song, tail_ql=0.0):
    """Return a song as the bytes of a MIDI file of type 1.

    The first fifteen parts have a channel each, the next fifteen are on the
    second port, and so on. A key that sounds already is let go before it is
    struck again, because MIDI could not tell which of the two an off ends.

    tail_ql: how long the file runs on after the last note
    """
    score = symusic.Score(TICKS_PER_QUARTER)
    ticks = lambda ql: round(ql * TICKS_PER_QUARTER)
    notes, _ = settled(table_of(song.events, TICKS_PER_QUARTER))
    strokes, _ = settled(table_of(song.drums, TICKS_PER_QUARTER))
    last = max(notes[OFF].max(initial=0), strokes[OFF].max(initial=0))
    # A mark after the last note would make the file longer than the song.
    before_last = lambda marks: [mark for mark in marks if mark[0] * TICKS_PER_QUARTER < last]
    for ql, tempo_bpm in [(0, song.tempo_bpm), *before_last(song.tempos)]:
        score.tempos.append(symusic.Tempo(ticks(ql), tempo_bpm))
    for ql, numerator, denominator in before_last(song.bars):
        score.time_signatures.append(symusic.TimeSignature(ticks(ql), numerator, denominator))
    for ql, sharps, mode in before_last(song.keys):
        score.key_signatures.append(symusic.KeySignature(ticks(ql), sharps, MODES.index(mode)))
    for part in range(song.n_parts):
        score.tracks.append(_track(notes[:, notes[PART] == part], song.program_of(part)))
    if song.drums:
        score.tracks.append(_track(strokes, 0, is_drum=True))
    if tail_ql:
        score.markers.append(symusic.TextMeta(int(last) + ticks(tail_ql), ""))
    return _with_ports(score.dumps_midi(), song.n_parts)


def _track(table, program, is_drum=False):
    """Return symusic's track of a table of notes."""
    track = symusic.Track("", program, is_drum)
    times = np.stack([table[ON], table[OFF] - table[ON]]).astype(np.int32)
    values = table[[PITCH, VELOCITY]].astype(np.int8)
    track.notes = symusic.Note.from_numpy(*times, *values, "tick")
    return track


def _with_ports(data, n_parts):
    """Return a file in which each fifteen parts beyond the first have a port of their own."""
    header, tracks, _ = mend(data)
    for part in range(N_CHANNELS, n_parts):
        tracks[part] = bytes((0, 0xFF, 0x21, 1, part // N_CHANNELS)) + tracks[part]
    return joined(header, tracks)
