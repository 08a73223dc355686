"""What is wrong in manifests, where, and what to do: a catalogue as data, and a check per code."""
