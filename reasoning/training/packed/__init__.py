"""Samples in one row without padding: where they lie, what they see, and what the last layer computes of them."""
