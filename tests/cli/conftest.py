from tests.fixtures.classtrans import keys, narrow

__all__ = ["keys", "narrow"]
