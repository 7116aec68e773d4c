"""DMV-JND: the just noticeable difference of machines, published and ours."""
