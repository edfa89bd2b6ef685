"""`python -m configural` is the command `configural`."""

from configural.cli import main

if __name__ == "__main__":
    main()
