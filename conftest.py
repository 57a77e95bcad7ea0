"""Progress bars would be outputs that no stored notebook has."""

import os

os.environ["MUSICLAB_PROGRESS"] = "off"  # for the notebooks' kernels too
