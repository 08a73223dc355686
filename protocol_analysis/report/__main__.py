"""`python -m protocol_analysis.report` writes a report."""

import sys

from protocol_analysis.report.command import main

sys.exit(main())
