"""FALSE (Zhang et al., 2022): contrastive pretraining aware of false negatives. See README.md."""
