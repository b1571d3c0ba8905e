"""SG-One (Zhang et al., 2018/2020): masked average pooling and cosine guidance. See README.md."""

# The tasks of this wing by name: where their classes lie.
TASKS = {
    "sg_one": "terrashot.papers.sg_one.task.SGOneTask",
    "sg_one_pascal": "terrashot.papers.sg_one.pascal.task.FoldTask",
}
# Classes by the names that configurations of version 0.1 have for them, both below terrashot.
MOVED = {
    "adaptation.guidance.CosineGuidance": "papers.sg_one.guidance.guided_method.cosine_guided",
}
