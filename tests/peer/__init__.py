"""Agreement with esp-ppq, whose files are made by an interpreter of its own; see README.md."""
