"""espdl."""
