"""Progress bars would be outputs that no stored notebook has."""

import os

os.environ["TQDM_DISABLE"] = "1"  # before anything imports tqdm, and for the notebooks' kernels
