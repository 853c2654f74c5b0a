"""Any picture of a digit, made into what a network takes."""
