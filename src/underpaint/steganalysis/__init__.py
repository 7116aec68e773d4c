"""The analyst as observer: what steganalysis makes of a picture."""
