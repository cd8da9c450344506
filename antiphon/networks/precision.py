"""Mixed precision: networks multiply in bfloat16 where the device has instructions for it.

Where it has none, bfloat16 is emulated and takes three to five times as long as float32 (linear layers and convolutions
on a processor with AVX-512 but without AVX512-BF16), so there everything stays in float32.
"""

from __future__ import annotations

from functools import cache

import torch


@cache
def multiplies_bfloat16(kind: str) -> bool:
    """Whether devices of a kind ("cpu", "cuda") have instructions for bfloat16."""
    if kind == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    known: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
    return kind == "cpu" and bool(known.get("avx512_bf16") or known.get("amx_bf16"))


def mixed(device: torch.device, enabled: bool = True, *, cache_weights: bool = True) -> torch.autocast:
    """The context in which networks run on a device. cache_weights: weights are rounded once; threads must not share
    that."""
    enabled = enabled and multiplies_bfloat16(device.type)
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled, cache_enabled=cache_weights)
