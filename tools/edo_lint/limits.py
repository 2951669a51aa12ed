"""Gotos out of a block of edo_within: its limit stays on all awaits that follow."""
from edo_lint.report import Finding
from edo_lint.tree import is_edo_header, place_of, spelled_in


def findings(graph):
    """Not those of edo_try_or and its like, whose label is that of limited clean-up."""
    for goto in graph.gotos:
        label = graph.declared_labels[goto.label]
        left = [limit for limit in goto.limits if limit not in label.limits]
        if not left or is_edo_header(spelled_in(goto.node)):
            continue
        awaited = first_await(graph.labels[goto.label], left)
        if awaited:
            yield Finding(place_of(goto.node), "edo-within-goto",
                          "goto leaves the block of edo_within, whose limit stays on the awaits "
                          f"behind '{label.name}'; use break, or begin clean-up with edo_shield",
                          ((awaited, "this await is limited, too"),))


def first_await(start, left):
    """The place of an await that is reached from a block, unless edo_shield comes before it, or the
    beginning of a block that was left, which closes its limit."""
    seen, work = set(), [start]
    while work:
        block = work.pop(0)
        if block in seen:
            continue
        seen.add(block)
        for event in block.events:
            if event.kind == "suspend":
                return event.place
            if event.kind == "shield" or (event.kind == "limit" and event.extra in left):
                break
        else:
            work += block.next
    return None
