"""How numbers are read: what digits, words and calculations are worth, and which number of a text is meant."""
