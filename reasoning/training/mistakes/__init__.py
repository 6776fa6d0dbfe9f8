"""Mistakes beside right answers: where the two part, what of them is compared, and how a student reads a pair."""
