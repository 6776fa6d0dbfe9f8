"""The method's losses: what is done with a student's logits and hidden states.

A loss of the recipe (`learning.objective.loss`) is a file here and a line of `table`: it makes the terms that a
training adds up. A term says what it needs of the student (`term.Needs`); the readers compute that and nothing more.

Invariants
- A term is a sum over the samples at hand, divided by a count over the whole batch, so what workers and micro-batches
  add up to does not depend on how many there are.
- Losses are computed in float32 at least, whatever the student computes in.
- Padding is never a target. (In paper A's mode `hf` it is: labels are padded with the padding token.)
"""
