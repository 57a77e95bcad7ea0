"""TensorFlow and Keras, imported without their start-up chatter.

The modules that build, train or run a network take both from here.
"""

import contextlib
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@contextlib.contextmanager
def silent_stderr():
    """Send what C++ code writes to file descriptor 2 nowhere."""
    saved, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)


with silent_stderr():
    import keras
    import tensorflow as tf

# It counts traces by line of code, and takes five networks for one that is traced five times.
tf.get_logger().setLevel("ERROR")

__all__ = ["keras", "set_seed", "tf"]


def set_seed(seed):
    """Make all that follows repeatable, to the last bit on one kind of machine.

    seed: a whole number, 0 or more
    """
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
