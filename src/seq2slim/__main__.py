"""`python -m seq2slim`."""

import sys

from seq2slim.cli import main

sys.exit(main())
