"""`python -m imdsctl` is the command `imdsctl`."""

import sys

from imdsctl.cli import main

if __name__ == "__main__":
    sys.exit(main())
