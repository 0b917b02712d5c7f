"""How a store is: facts, what is a problem in them, and both as JSON, text or metrics."""

from loganon.status.answer import KEYS, as_dict, find_problems, unsealed
from loganon.status.facts import Database, Status, load_status

__all__ = ["KEYS", "Database", "Status", "as_dict", "find_problems", "load_status", "unsealed"]
