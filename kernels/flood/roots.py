"""Powers of a depth without `pow`: from the bits of a float32 and a short polynomial."""

from __future__ import annotations

import numpy as np

__all__ = ["MINUS_THIRD", "POWER", "SEED"]

# x^(-1/3) from the bits of a float32, off by 3.5 % at most: exponent divided by -3.
SEED = np.float32(0x54A1F480)
MINUS_THIRD = np.float32(-1.0 / 3.0)
POWER = (1.0000000029266207, 2.3333350803521005, 3.8888859409728402, 5.6159413878402,
         7.489402366136407, 9.743381892810875, 11.815160843173569)  # fmt: skip
"""(1 - e)^(-7/3) as a polynomial of e, off by 2.6e-8 at most for |e| < 0.1022 (minimax)."""
