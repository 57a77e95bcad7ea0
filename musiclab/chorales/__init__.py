"""Bach's chorales: the public table, and a network that reads and writes them."""

from musiclab.chorales.files import read_chorales
from musiclab.chorales.model import ChoraleModel
from musiclab.chorales.network import Settings

__all__ = ["ChoraleModel", "Settings", "read_chorales"]
