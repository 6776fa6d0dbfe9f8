"""One extractor for each kind of answer: how it is read in a text, and its normal form."""
