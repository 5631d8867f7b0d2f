"""Make ``sample_image.jpg`` from the coffee photograph in scikit-image's wheel, or check it.

    python data/make_sample_image.py           # write the file
    python data/make_sample_image.py --check   # compare the file with its source

Another version of Pillow may encode the same pixels to other bytes. That is why the check compares
pixels, and why a file that is written again needs its new checksum in ``README.md``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from PIL import Image

TARGET = Path(__file__).resolve().parent / "sample_image.jpg"
QUALITY = 90
#: Largest mean difference per channel, of 255, that JPEG at this quality may leave.
TOLERANCE = 3.0


def source() -> np.ndarray:
    """The photograph as scikit-image ships it, (400, 600, 3) uint8."""
    import skimage

    with Image.open(Path(skimage.__file__).parent / "data" / "coffee.png") as image:
        return np.array(image.convert("RGB"))


def difference() -> float:
    """Mean absolute difference per channel between the file and its source."""
    with Image.open(TARGET) as image:
        pixels = np.array(image.convert("RGB"))
    original = source()
    if pixels.shape != original.shape:
        raise SystemExit(f"{TARGET.name} has shape {pixels.shape}, its source {original.shape}")
    return float(np.abs(pixels.astype(int) - original.astype(int)).mean())


def main(arguments: list[str] | None = None) -> int:
    """Write or check the file; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    if not parser.parse_args(arguments).check:
        # no chroma subsampling: the colours are what the segmentation works on
        Image.fromarray(source()).save(TARGET, quality=QUALITY, subsampling=0, optimize=True)
    found = difference()
    print(f"{TARGET.name}: {TARGET.stat().st_size:,} bytes, mean difference {found:.2f} of 255")
    return 0 if found <= TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main())
