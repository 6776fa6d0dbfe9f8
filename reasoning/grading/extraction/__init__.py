"""How answers are found in texts: where they stand, and the reading that several kinds of answers share."""
