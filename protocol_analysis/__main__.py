"""`python -m protocol_analysis` is `protocol-analysis`."""

import sys

from protocol_analysis.cli import main

sys.exit(main())
