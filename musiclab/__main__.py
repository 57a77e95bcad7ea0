"""`python -m musiclab` does what `musiclab` does."""

from musiclab.cli import main

if __name__ == "__main__":
    main(prog_name="musiclab")
