"""musiclab: a course in which a recurrent network learns to write music.

The data's path reads straight through the rooms: a file becomes a `Song`
(`midi`, `music`), songs become tokens, ids and windows (`encoding`), windows
train a model (`models`, `training`), the model writes ids (`generation`), and
those become a song that sounds (`playback`). Import the rooms one by one: none
pulls in TensorFlow but those that build, train or run a network.
"""

import sys
from importlib.metadata import version

__version__ = version("musiclab")


def _show(song):
    from musiclab.card import show  # pictures and scores take a second to import

    return show(song).data


# Where IPython is not running already, nobody needs it imported.
if "IPython" in sys.modules and (shell := sys.modules["IPython"].get_ipython()):
    # A Song that is the last line of a cell shows itself.
    page = shell.display_formatter.formatters["text/html"]
    page.for_type_by_name("musiclab.music.song", "Song", _show)
