"""The one door to Great Expectations: the suites, how they are run and what a result means."""

import os

# Before any file here imports great_expectations: a version of it may decide at import whether to report home (P-50).
os.environ["GX_ANALYTICS_ENABLED"] = "false"
