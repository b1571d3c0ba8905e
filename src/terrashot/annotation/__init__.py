"""The annotation page: labels drawn in a browser, a head taught by them, and what it maps."""
