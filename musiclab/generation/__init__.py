"""A trained network writes: one symbol drawn, whole songs, recurrent layers stepped in NumPy."""

from musiclab.generation.sampling import next_symbol_probabilities, sample_id
from musiclab.generation.stepping import read_states
from musiclab.generation.writing import generate, generate_songs

__all__ = ["generate", "generate_songs", "next_symbol_probabilities", "read_states", "sample_id"]
