"""The command line: the only code that prints, draws bars or exits."""
