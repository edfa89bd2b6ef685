"""`python -m configural.cli` is the command `configural`."""

from configural.cli import main

if __name__ == "__main__":
    main()
