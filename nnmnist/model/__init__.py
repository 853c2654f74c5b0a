"""The numerical core, in NumPy alone: arrays in, arrays out; no files, no printing, no globals.

One column is one example inside, as in the lecture; public arrays hold one example per row.
"""
