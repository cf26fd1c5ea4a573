"""What a fitted model is: its bundle on disk, and the tagger that runs it."""
