"""What threads share, as far as runs have shown it: accesses that are points from then on."""

from ..learner.places import Site
from .steps import Use, disturb


class Shared:
    """The accesses, as written, that touch what threads share: found in runs, and points from then on."""

    def __init__(self) -> None:
        # Two that are written alike in two files count as one, which costs runs and misses none: code that is compiled
        # during a run has other objects in each.
        self._sites: set[Site] = set()
        self.of_classes: set[str] = set()  # attributes of classes that are written: objects may have none of their own
        self.ends = False  # somebody looks whether a thread has ended
        self.grew = False

    def __contains__(self, site: Site) -> bool:
        return site in self._sites

    def __len__(self) -> int:
        return len(self._sites) + len(self.of_classes) + self.ends

    def update(self, other: "Shared") -> None:
        """Take over what another process has found."""
        self._sites |= other._sites
        self.of_classes |= other.of_classes
        self.ends |= other.ends

    def take_growth(self) -> bool:
        """Whether something was added since this was asked for."""
        grew, self.grew = self.grew, False
        return grew

    def see_ends(self) -> None:
        self.grew |= not self.ends
        self.ends = True

    def see_class_written(self, attribute: str) -> None:
        if attribute not in self.of_classes:
            self.of_classes.add(attribute)
            self.grew = True

    def add(self, site: Site) -> None:
        if site not in self._sites:
            self._sites.add(site)
            self.grew = True


class Touches:
    """Who touched one place, and when on their own clocks of starts and joins."""

    __slots__ = ("last", "shared", "sites")

    def __init__(self) -> None:
        self.last: dict[tuple[int, Use], int] = {}
        self.sites: list[Site] = []
        self.shared = False

    def note(self, me: int, clock: dict[int, int], site: Site, how: Use) -> bool:
        """Note one more; whether sites were found that touch what is shared."""
        found = False
        if not self.shared:
            for (other, use), when in self.last.items():
                if other != me and clock.get(other, 0) < when and disturb(use, how):
                    self.shared = found = True
            self.last[me, how] = clock[me]
        if site not in self.sites:
            self.sites.append(site)
            found = self.shared
        return found
