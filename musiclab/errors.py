"""The errors that musiclab raises on purpose.

Every message is one Spanish sentence (students read it) that carries the
offending value and the remedy. The same values are kept as data beside it,
for checks, grading and other languages:

    raise ParameterError("EPOCHS es 0 y debe ser al menos 1", name="EPOCHS", value=0)
"""


class MusiclabError(Exception):
    """Root of all errors that a user can put right.

    data: what the sentence speaks of, by name; it survives pickling
    """

    def __init__(self, *sentence, **data):
        super().__init__(*sentence)
        self.data = data

    def _render_traceback_(self):
        """Show the sentence alone: IPython calls this in place of a traceback."""
        return [f"{type(self).__name__}: {self}"]


class DatasetError(MusiclabError):
    """A folder of songs that is missing, empty or not what its manifest says."""


class MidiError(MusiclabError):
    """A file that is not readable MIDI, or holds no note that we can use."""


class ShortSequenceError(MusiclabError):
    """A song, a prompt or a whole data set that is shorter than one window."""


class VocabularyError(MusiclabError):
    """A token that the vocabulary lacks, or two vocabularies that differ."""


class ParameterError(MusiclabError):
    """A parameter that does not exist, or whose type or range is wrong."""


class BundleError(MusiclabError):
    """A saved model that is damaged, or made for something else."""


class OutputError(MusiclabError):
    """A file that cannot be written."""


class RunError(MusiclabError):
    """A notebook that stopped before its end."""


class ReleaseError(MusiclabError):
    """An exercise notebook that cannot be handed out as it is."""


class GradingError(MusiclabError):
    """A class that cannot be graded on this machine, or as it is asked for."""
