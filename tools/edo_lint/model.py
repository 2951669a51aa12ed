"""What a body is turned into: blocks of events, in the order of evaluation."""
from collections import namedtuple

# What a value may hold: the address of a local (kind "address"), or what a local holds ("value").
# Not sure where it went through a call that may have dropped it.
Source = namedtuple("Source", "kind local field place sure", defaults=(True,))
# An address that a local, or memory elsewhere, holds.
Held = namedtuple("Held", "local place sure")
# Compound literals are locals without a name. A trusted one is made by a macro of edo's.
Local = namedtuple("Local", "name type temporary trusted")
# The kinds are the methods Flow.on_*.
Event = namedtuple("Event", "kind local field sources place extra", defaults=("", (), None, None))


# A jump, a label, and the blocks of edo_within around each, the outermost first.
Goto = namedtuple("Goto", "node label limits")
Label = namedtuple("Label", "name limits")


class Block:
    def __init__(self):
        self.events, self.next = [], []
