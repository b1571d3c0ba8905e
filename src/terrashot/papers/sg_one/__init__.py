"""SG-One (Zhang et al., 2018/2020): masked average pooling and cosine guidance. See README.md."""
