"""The command line: the only code that prints, draws bars or exits."""

import atexit
import gc

# Imports create many objects, and none of them is garbage: search less often, and not at the end.
gc.set_threshold(10_000)
atexit.register(gc.freeze)
