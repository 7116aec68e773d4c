"""PixInPix: pictures in pictures, and its rivals."""
