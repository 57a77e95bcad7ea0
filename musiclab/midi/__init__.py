"""MIDI files to songs and back, note by note as they are written.

`symusic` knows the bytes. Notes lie on a grid of 24 steps a quarter, which
holds thirty-seconds, triplets and sextuplets exactly.
"""

from musiclab.midi.folders import load_folder, midi_files
from musiclab.midi.reading import load_midi, read_midi
from musiclab.midi.writing import save_midi, song_to_midi

__all__ = ["load_folder", "load_midi", "midi_files", "read_midi", "save_midi", "song_to_midi"]
