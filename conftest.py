"""Progress bars would be outputs that no stored notebook has."""

import os

os.environ["MUSICLAB_QUIET"] = "1"  # for the notebooks' kernels too
