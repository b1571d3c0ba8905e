"""The core's tasks, one file a task: its Settings, its checks, its run; `registry` lists all.

`evaluation_results` is what the two tasks share that score query tiles. The wings' tasks lie in
`terrashot.papers`.
"""
