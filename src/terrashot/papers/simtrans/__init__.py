"""SimTrans (Chen et al., 2021): class similarity, carried over to noisy labels. See README.md."""
