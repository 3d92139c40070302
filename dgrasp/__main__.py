"""`python -m dgrasp`: the command `dgrasp` where it is not on the PATH."""

import sys

from dgrasp.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
