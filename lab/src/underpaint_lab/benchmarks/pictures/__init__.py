"""Tables on pictures in pictures."""
