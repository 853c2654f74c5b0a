"""The numerical core: arrays in, arrays out. No files, no clock, no printing, no global state; NumPy alone.

Inside, as in the lecture, one column is one example: h(l) is (n_l, batch) and h(l) = sigma(W(l) h(l-1) + b(l)).
Public arrays hold one example a row; a transposed view leads from one to the other and copies nothing.
"""
