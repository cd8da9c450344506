"""Music: MIDI files to notes (midi), notes to a stereo mix (player), a safe level (master)."""
