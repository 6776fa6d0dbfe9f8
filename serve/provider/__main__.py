"""`python -m serve.provider`: a faulty provider from the command line."""

import sys

from serve.provider.server import main

sys.exit(main())
