"""What a piece of music is: notes, songs, pitches, instruments, four voices on a grid."""

from musiclab.music.instruments import instrument_name, instrument_program
from musiclab.music.pitch import PITCH_NAMES, pitch_name, pitch_number
from musiclab.music.song import NoteEvent, Song, joined

__all__ = [
    "PITCH_NAMES",
    "NoteEvent",
    "Song",
    "instrument_name",
    "instrument_program",
    "joined",
    "pitch_name",
    "pitch_number",
]
