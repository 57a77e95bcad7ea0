"""Bach's chorales: the public table, and a network that reads, writes and harmonises them."""

from musiclab.chorales.files import read_chorales
from musiclab.chorales.model import ChoraleModel
from musiclab.chorales.network import Settings
from musiclab.chorales.rules import count_rules
from musiclab.chorales.writing import harmonise, write

__all__ = ["ChoraleModel", "Settings", "count_rules", "harmonise", "read_chorales", "write"]
