"""What holds for tests and notebooks: no progress bars, and the longest files first."""

import os

# Bars would be outputs that no stored notebook has; for the notebooks' kernels too.
os.environ["MUSICLAB_PROGRESS"] = "off"
# A minute and more each: begun last, they would leave the other processes without work.
LONGEST = ("01_tocando", "test_chorale_model", "test_browser", "test_training", "test_box", "05_")


def pytest_collection_modifyitems(items):
    """Put the longest files first; within a file the order stays."""

    def rank(item):
        file = item.path.name
        found = [k for k, name in enumerate(LONGEST) if file.startswith(name)]
        return found[0] if found else len(LONGEST)

    items.sort(key=rank)
