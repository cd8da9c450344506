"""Music: MIDI files to songs (smf, channel, midi, song), who plays what (casting), the mix (player, room, master) and
the files it is written to (bounce)."""
