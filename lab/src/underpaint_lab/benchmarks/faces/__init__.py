"""Tables on MIAIS: faces and classes recognised in containers."""
