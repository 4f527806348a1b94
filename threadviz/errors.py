"""What can go wrong in a run, one class each; the text says what, where, and how to mend it."""


class ThreadvizError(Exception):
    """The base of every error that threadviz raises on its own account."""


class Deadlock(ThreadvizError):
    """No thread could go on: nothing runnable, nothing sleeping, some thread unfinished."""


class Stuck(ThreadvizError):
    """The run made no progress for five seconds of real time, or never came to an end."""


class CutOff(Stuck):
    """The run was ended at the limit of steps: nobody knows whether it would have come to an end."""


class MadeOutside(ThreadvizError):
    """A lock, queue, event, thread or pool from outside the scenario would outlive the run."""


class ScheduleMismatch(ThreadvizError):
    """The schedule was made for other code: a choice it names does not exist in this run."""


class NotRepeatable(ThreadvizError):
    """A scenario that was to be explored does not do the same when it is run in the same way."""


class Unseen(ThreadvizError):
    """Nothing of a scenario that was to be explored can be seen."""


class NotInThisTab(ThreadvizError):
    """In a browser tab something is missing that was asked for; its text says where it is to be had."""

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows: the sentence alone, as there is nothing to be found in a traceback."""
        return [f"{type(self).__name__}: {self}"]


class NoRealThreads(NotInThisTab):
    """This Python cannot start a thread, as in a browser tab: it can simulate runs, but not record them."""


class AlreadyRunning(ThreadvizError):
    """A run was asked for while another one is going on."""


class StopRun(BaseException):
    """Ends the learner's code from inside; a BaseException, so that `except Exception` does not stop it."""
