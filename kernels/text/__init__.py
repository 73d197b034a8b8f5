"""Bytes of large text files: where things stand, before anything is parsed."""
