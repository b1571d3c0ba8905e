"""Fetching a dataset: the record, a resumable download, safe unpacking, the layout.

`openearthmap` is the one set so far: `zenodo` reads its record, `fetch` gets a file and checks it,
`unpack` opens it, `placing` brings it to the few-shot layout.
"""
