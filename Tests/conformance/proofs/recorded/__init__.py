"""Recorded histories of concurrent clients in every mode, and the judge that finds what no correct server answers."""
