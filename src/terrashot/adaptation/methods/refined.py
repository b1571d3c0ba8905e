"""A method with what is to become of its heads: classes in balance, no background."""

from terrashot.adaptation.method import Method
from terrashot.adaptation.methods.balanced import BalancedMethod
from terrashot.adaptation.methods.complete import CompleteMethod
from terrashot.adaptation.objective.transduction import Transduction
from terrashot.errors import ConfigError


def refined(
    method: Method, transduction: Transduction | None, *, balance: bool, complete: bool
) -> Method:
    """The method, wrapped as asked for.

    Args:
        method: A method.
        transduction: What it takes from a query; None: nothing.
        balance: Whether held-out support tiles bring its classes into balance.
        complete: Whether every pixel is of a base or a novel class.

    Raises:
        ConfigError: balance for a method whose heads depend on the query.
    """
    if balance:
        if transduction is not None and transduction.uses_query:
            raise ConfigError(
                "adaptation.balance asks heads about support tiles that they have not seen, but "
                "with this transduction each query has a head of its own. Leave "
                "adaptation.balance out, or set transduction=none."
            )
        method = BalancedMethod(method)
    return CompleteMethod(method) if complete else method
