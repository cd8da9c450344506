"""What the files of a run's folder are called. `antiphon.training.run_folder` reads and writes them."""

RECORD = "run.json"  # whose notes, and what was asked for
SETTINGS = "config.json"  # of the recipe, for a person to read
WEIGHTS = "weights.safetensors"  # the voice so far
STATE = "state.safetensors"  # all that is needed to go on
HEALTHY = "healthy.safetensors"  # the state when the run was last well
PREPARED = "prepared.safetensors"  # the notes, measured
REFUSED = "refused.txt"  # files that were no notes, and why
SKIPPED = "skipped.txt"  # steps that were left out
LOG = "log.jsonl"
PAGE = "page.html"
SHEETS, SOUNDS = "sheets", "sounds"  # folders: what it looked and sounded like on the way
