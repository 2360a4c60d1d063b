"""`python -m imdsctl.host.audit`."""

import sys

from imdsctl.host.audit import main

if __name__ == "__main__":
    sys.exit(main())
