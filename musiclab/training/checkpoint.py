"""Where a training stopped: one file from which it goes on to the same numbers.

The file says of which training it is, and no other goes on from it. What
kinds of training have in common stands here: that, and the state of a
compiled model. What else they keep in the file is their own.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from musiclab.errors import BundleError
from musiclab.training.archive import check_arrays, is_there, read_archive, write_archive

CHECKPOINT = "checkpoint.safetensors"


@dataclass(frozen=True)
class Checkpoint:
    """The file of one training.

    form: the name of its format, see `archive`
    identity: what JSON can hold of what makes this training this one
    """

    path: Path
    form: str
    identity: dict

    def save(self, meta, arrays):
        """Write the identity, what else JSON can hold, and arrays, whole or not at all."""
        write_archive(self.path, self.form, self.identity | meta, arrays)

    def load(self):
        """Return the (meta, arrays) that `save` was given, or None where there is no file.

        Raises BundleError when the file is of another training, or no such file.
        """
        if not is_there(self.path):
            return None
        meta, arrays = read_archive(self.path, self.form)
        mine = json.loads(json.dumps(self.identity))  # JSON has lists where we have tuples
        differs = [key for key, value in mine.items() if meta.get(key) != value]
        if differs:
            raise BundleError(
                f"«{self.path}» es de otro entrenamiento (difiere en {', '.join(differs)}): usa "
                "los mismos parámetros, otra OUTPUT_DIR, o LOAD_PREVIOUS = False",
                path=str(self.path),
                differs=differs,
            )
        return meta, arrays


def get_state(model):
    """Return the weights of a compiled model and the state of its optimiser as arrays."""
    return [*model.get_weights(), *(variable.numpy() for variable in model.optimizer.variables)]


def set_state(model, arrays):
    """Put what `get_state` gave into a model that is compiled as that one was.

    Raises ValueError, and leaves the model alone, for arrays of other shapes or types.
    """
    with model.distribute_strategy.scope():
        model.optimizer.build(model.trainable_variables)
    check_arrays(arrays, get_state(model))
    n_weights = len(model.weights)
    model.set_weights(arrays[:n_weights])
    for variable, value in zip(model.optimizer.variables, arrays[n_weights:], strict=True):
        variable.assign(value)
