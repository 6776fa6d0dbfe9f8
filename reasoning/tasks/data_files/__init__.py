"""Files of questions as people have them: what a file holds is told by its content, not by its name.

Owns nothing itself: `reading` says which reader a file gets, and the others are those readers."""
