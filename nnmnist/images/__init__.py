"""Any picture of a digit, turned into the inputs of a network."""
