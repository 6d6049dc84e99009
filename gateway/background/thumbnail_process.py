"""Makes the thumbnail of a picture in a process of its own, since anybody may have made its bytes.

    python -m gateway.background.thumbnail_process PICTURE THUMBNAIL

Prints {"width": 3840, "height": 2160} of the picture and writes the thumbnail, or prints {"refusal": "..."}.
When it ends in any other way, such as killed for the memory it asked for, that is the picture's doing, too.
"""

from __future__ import annotations

import json
import math
import resource
import sys
import warnings
from typing import Any

from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "AVIF")
MOST_PIXELS = 50_000_000
TOO_MANY = f"more than {MOST_PIXELS // 1_000_000} megapixels"
SIDE = 480  # pixels of a thumbnail's longer side at most
MEMORY = 1 << 30  # bytes of addresses: 50 megapixels of four bytes twice, and the program
SECONDS = 20  # of processor time
ON_ITS_SIDE = (5, 6, 7, 8)  # orientations of EXIF whose width is the height of what is stored


def write_thumbnail(picture: str, thumbnail: str) -> dict[str, Any]:
    """Writes a WebP of a picture's first frame, and says how large the picture is or why there is none.

    Nothing is in it but pixels: no place, camera or text of the picture's own.
    """
    warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # of 89 megapixels, which is more
    try:
        with Image.open(picture, formats=FORMATS) as opened:  # reads its header and decodes nothing
            size = opened.size
            if math.prod(size) > MOST_PIXELS:
                return {"refusal": TOO_MANY}
            opened.draft("RGB", (2 * SIDE, 2 * SIDE))  # a JPEG need not be decoded in full
            small = opened.convert("RGBA" if opened.has_transparency_data else "RGB")
            orientation = opened.getexif().get(ExifTags.Base.Orientation)
    except Image.DecompressionBombError:
        return {"refusal": TOO_MANY}
    except UnidentifiedImageError:
        return {"refusal": "no picture that can be read"}
    small.thumbnail((SIDE, SIDE))
    small = ImageOps.exif_transpose(small)
    small.info.clear()
    small.save(thumbnail, "WEBP")
    width, height = size[::-1] if orientation in ON_ITS_SIDE else size
    return {"width": width, "height": height}


def main() -> None:
    """Makes the thumbnail of one picture within the limits."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    print(json.dumps(write_thumbnail(*sys.argv[1:3])))


if __name__ == "__main__":
    main()
