"""SimNet: encoder, pair head, domain classifier."""
