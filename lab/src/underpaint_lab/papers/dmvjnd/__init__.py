"""DMV-JND: just noticeable difference for machine vision."""
