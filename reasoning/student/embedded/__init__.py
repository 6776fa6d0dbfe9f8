"""The embedded student: its shape, its tokenizer and the text that it is pretrained on."""
