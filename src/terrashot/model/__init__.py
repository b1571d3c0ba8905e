"""A network and its adapted head: everything between features of a tile and a file on disk.

`stage1_file` reads what stage 1 left (`classtrans_file` what the published one of ClassTrans left);
`tile_network` makes features with it, `support_tiles` the support, `support_fit` fits a method to
that, `adapt_once` takes one head for all maps. The outcome is an `adapted_model`, kept by
`adapted_file`, seen in several `views`, given to other software by `export` (`agreement` compares).
`local_norm` and `even_upsampling` change a network so that a map does not depend on its windows.
"""
