"""The command line: the only code that prints, draws bars or exits."""

import atexit
import gc
import os

# Imports create many objects, and none of them is garbage: search less often, and not at the end.
gc.set_threshold(10_000)
atexit.register(gc.freeze)
# To find plugins, pydantic would read the metadata of every installed package.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
