"""x"""
from dataclasses import dataclass
from pathlib import Path
from antiphon.data.labelling import labels, drums, hits
@dataclass
class Said:
    pitch=None; velocity=None; drum=None; role="note"
def read_names(paths, root=""):
    out=[]
    for p in paths:
        said=labels.parse_name(p.stem); s=Said(); s.pitch=said.pitch; s.velocity=drums.velocity_of(p.stem); d=hits.drum_told(Path(p)); s.drum=d and d[0]; out.append(s)
    return out
