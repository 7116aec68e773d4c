"""underpaint: hide data in pictures, and know with numbers who could notice and what it survives."""

__version__ = "0.1.0"
