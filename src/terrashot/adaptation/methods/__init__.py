"""The stage-2 methods; each is a `Method` (`adaptation/method.py`).

`gradient` descends an objective (ClassTrans, DIaM, terrashot and their variants, by `options`),
from a `start`. `closed_form` is the base of those that solve for their head at once: `ridge`,
`imprinting`, `base_only`. `label_shift` corrects biases for the class shares of a query.
`wrapped` ones change the heads of any of them: `balanced`, `complete`; `refined` puts them on.
"""
