"""Playing live: from MIDI messages to blocks of sound, without a device (engine), in a process of its own (process),
and with devices (devices, keyboard)."""
