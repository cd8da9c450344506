"""How good is it: distances between sets of sounds, pitch, identity, variety, and pictures to look at."""
