"""Manifests → the notebooks on them, as text for a terminal and as a folder of HTML."""
