"""Tables on DMV-JND, coding for machines and labels kept."""
