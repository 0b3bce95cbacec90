"""`python -m mer` is the same program as `mer`."""

from mer.cli import main

if __name__ == "__main__":
    main()
