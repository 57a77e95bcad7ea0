"""musiclab: a course in which a recurrent network learns to write music.

The data's path reads straight through the modules: a file becomes a
`notes.Song` (`parsing`), songs become tokens, ids and windows
(`encoding`), windows train a model (`models`, `training`), the model
writes ids (`generation`), and those become a song that sounds
(`playback`). Import the modules one by one: none pulls in TensorFlow but
those that build, train or run a network.
"""

from importlib.metadata import version

__version__ = version("musiclab")
