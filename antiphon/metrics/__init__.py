"""How good a voice is: distances between sets of sounds, pitch, identity, variety, and pictures."""
