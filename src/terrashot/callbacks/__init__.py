"""What happens around training: pictures, progress, results."""
