"""SimTrans (Chen et al., 2021): class similarity, carried over to noisy labels. See README.md."""

# The tasks of this wing by name: where their classes lie.
TASKS = {
    "image_sim_net": "terrashot.papers.simtrans.image_sim_net_task.ImageSimNetTask",
    "image_weak_shot": "terrashot.papers.simtrans.image_weak_shot_task.ImageWeakShotTask",
    "sim_net": "terrashot.papers.simtrans.sim_net_task.SimNetTask",
    "weak_shot": "terrashot.papers.simtrans.weak_shot_task.WeakShotTask",
}
# Classes by the names that configurations of version 0.1 have for them, both below terrashot.
MOVED = {
    "adaptation.support_weighting.SimNetWeighting": (
        "papers.simtrans.bridges.support_weighting.SimNetWeighting"
    ),
    "data.patches.noise.SyntheticNoise": "papers.simtrans.patches.noise.SyntheticNoise",
    "data.patches.noise.TileLabel": "papers.simtrans.patches.noise.TileLabel",
    "data.patches.noise.WeakRule": "papers.simtrans.patches.noise.WeakRule",
    "similarity.sim_net.SimNetSimilarity": "papers.simtrans.bridges.similarity.SimNetSimilarity",
}
