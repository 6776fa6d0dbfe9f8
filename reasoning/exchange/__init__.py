"""Import and export: the files that both papers published, read into this project's records and written from them.

Paper A: *Tailored Learning* (2310.13332). Paper B: *Fine-tune-CoT* (2212.10071). One module per format; every module is
about one file's shape, and nothing here knows of Ray or a network.
"""
