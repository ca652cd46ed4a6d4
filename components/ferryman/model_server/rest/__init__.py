"""The server's REST side."""
