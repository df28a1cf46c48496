"""What the rows of the records can be: every state, kind and action, with a sentence each."""

from enum import StrEnum


class WorkitemKind(StrEnum):
    """What a workitem is."""

    RUN = "run"  # a module analyses, or has analysed, images
    WITHDRAWAL = "withdrawal"  # a note that takes a result back
    ASSESSMENT = "assessment"  # a note that tells what a reader said of a result
    NOT_RUN = "not run"  # it says why a module was not run on a study

    @property
    def is_note(self) -> bool:
        """Whether it is a note about the result of a run, and has no result of its own."""
        return self in (WorkitemKind.WITHDRAWAL, WorkitemKind.ASSESSMENT)


class WorkitemState(StrEnum):
    """The states of a workitem (the diagram stands in docs/explanation/architecture.md)."""

    SCHEDULED = "scheduled"  # waits for a worker
    RUNNING = "running"  # a module analyses it
    DELIVERING = "delivering"  # results are written, and have not arrived everywhere yet
    COMPLETED = "completed"  # the results have arrived, as far as each destination can prove it
    NOT_APPLICABLE = "not applicable"  # the study holds nothing the module can analyse
    HELD = "held"  # the right series is incomplete, or it is not sure whose it is
    PARKED = "parked"  # a result did not arrive as it should; a person has to do something
    FAILED = "failed"  # the module failed; a refusal was delivered in place of a result
    CANCELLED = "cancelled"  # superseded by a run on more images before anything was sent
    WITHDRAWN = "withdrawn"  # a person took the result back; a note in the archive says so

    @property
    def settled(self) -> bool:
        """Whether nothing more happens by itself."""
        return self not in (
            WorkitemState.SCHEDULED,
            WorkitemState.RUNNING,
            WorkitemState.DELIVERING,
        )

    @property
    def final(self) -> bool:
        """Whether it is settled and waits for nobody either."""
        return self.settled and self not in (WorkitemState.PARKED, WorkitemState.HELD)


UNFINISHED = (WorkitemState.SCHEDULED, WorkitemState.RUNNING)  # a worker has it, or will
WRITTEN = (WorkitemState.DELIVERING, WorkitemState.PARKED)  # its deliveries decide what follows
WITHOUT_RUN = (WorkitemState.NOT_APPLICABLE, WorkitemState.HELD)

ENDED = (WorkitemState.CANCELLED, WorkitemState.WITHDRAWN)  # nothing of it stands, or should
WITHOUT_RESULT = (*ENDED, WorkitemState.FAILED)  # nothing came of it, or it was taken back

DELIVERED = (*WRITTEN, WorkitemState.COMPLETED, WorkitemState.FAILED)  # at least in part
ASSESSABLE = (*WRITTEN, WorkitemState.COMPLETED)  # there is a result, and it was not taken back

# From where each state is reached. Anything else is not done: what a worker or a delivery that was
# under way still has to say about a workitem that a person cancelled or withdrew changes nothing.
REACHED_FROM = {
    WorkitemState.SCHEDULED: (WorkitemState.RUNNING,),  # the server that computes it is away
    WorkitemState.RUNNING: UNFINISHED,
    WorkitemState.DELIVERING: (
        WorkitemState.RUNNING,
        WorkitemState.DELIVERING,
        WorkitemState.PARKED,
    ),
    WorkitemState.COMPLETED: WRITTEN,
    WorkitemState.PARKED: WRITTEN,
    WorkitemState.FAILED: (*UNFINISHED, *WRITTEN),
    WorkitemState.CANCELLED: (*UNFINISHED, *WRITTEN, WorkitemState.HELD),
    WorkitemState.WITHDRAWN: (
        *WRITTEN,
        WorkitemState.COMPLETED,
        WorkitemState.FAILED,
        WorkitemState.CANCELLED,  # what was under way then may have arrived
    ),
}


class StudyState(StrEnum):
    """How a study stands: as its workitem that most needs somebody; those come first here."""

    UNJUDGED = "cannot be judged"  # a rule cannot look at it: its module, the machine, an error
    PARKED = "parked"
    HELD = "held"  # or a person has to decide on corrected patient data
    FAILED = "failed"
    RUNNING = "running"
    SCHEDULED = "scheduled"
    DELIVERING = "delivering"
    RECEIVING = "receiving"  # no rule has been decided on yet
    COMPLETED = "completed"
    WITHDRAWN = "withdrawn"
    CANCELLED = "cancelled"
    NOT_APPLICABLE = "not applicable"
    NO_RULE = "no rule applies"

    @property
    def urgency(self) -> int:
        """The greater, the more it needs somebody."""
        return len(StudyState) - list(StudyState).index(self)


class StudyWait(StrEnum):
    """What keeps an open study from being decided on."""

    IMAGES = "images"  # more may come: it is decided on after a while of silence
    MODULE = "module"  # one that a rule asks for cannot be used: somebody has to mend it
    MACHINE = "machine"  # it lacks something, such as memory: tried again every half minute
    MISTAKE = "mistake"  # an error came up, of a module or of ours: tried again every hour

    @property
    def is_for_images(self) -> bool:
        """Whether it ends by itself, as it does for every study."""
        return self is StudyWait.IMAGES


class StudyOrder(StrEnum):
    """How studies are sorted."""

    NEWEST = "newest"  # the one whose last image came last is the first
    OLDEST = "oldest"
    STATE = "state"  # those that need somebody first, the newest of them first


class AssessmentStanding(StrEnum):
    """How a result stands with its readers; of each of them the last word counts."""

    NOT_ASSESSED = "not assessed"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    SUPPLEMENTED = "supplemented"
    DISAGREED = "readers disagree"


class DeliveryState(StrEnum):
    """How a delivery stands: the results of one workitem on their way to one destination."""

    WAITING = "waiting"  # due
    DELAYED = "delayed"  # not all of it was taken, due again at `next_attempt`
    ASKED = "asked"  # taken; the destination is asked for it until it shows it or commits itself
    REFUSED = "refused"  # the destination will never take it as it is; a person releases it
    NOT_SHOWN = "not shown"  # taken, but never shown; a person looks there and releases it
    MISFILED = "misfiled"  # shown under another patient than its images; a person decides
    VERIFIED = "verified"  # the destination has shown it to us
    COMMITTED = "committed"  # the destination has committed itself to keep it
    ACCEPTED = "accepted"  # taken, and nothing proves that it is kept
    CANCELLED = "cancelled"  # a person cancelled it, or took the result back, before it was shown

    @property
    def settled(self) -> bool:
        """Whether nothing is owed any more."""
        return self in (*ARRIVED, DeliveryState.CANCELLED)


UNTAKEN = (DeliveryState.WAITING, DeliveryState.DELAYED)  # something of it is still to be sent
OWED = (*UNTAKEN, DeliveryState.ASKED)  # nobody but us has to do something
PARKED = (DeliveryState.REFUSED, DeliveryState.NOT_SHOWN, DeliveryState.MISFILED)  # a person has to
PROVEN = (DeliveryState.VERIFIED, DeliveryState.COMMITTED)
ARRIVED = (*PROVEN, DeliveryState.ACCEPTED)
UNSETTLED = (*OWED, *PARKED)  # somebody has to do something
TAKEN = (*ARRIVED, DeliveryState.ASKED, DeliveryState.NOT_SHOWN, DeliveryState.MISFILED)
CANCELLABLE = (*UNTAKEN, DeliveryState.REFUSED)  # what was not sent, or not all of it


class DestinationState(StrEnum):
    """Whether a destination answers."""

    UNKNOWN = "not asked yet"  # nothing was delivered there, and nothing failed
    REACHABLE = "reachable"
    UNREACHABLE = "unreachable"  # called every few seconds, gets everything when it answers


class WorklistState(StrEnum):
    """Whether a worklist can be worked from."""

    UNKNOWN = "not asked yet"
    REACHABLE = "reachable"
    UNREACHABLE = "unreachable"  # asked again at the next look
    REFUSED = "refused"  # it answers, but not as it should: the settings may be wrong


class SourceState(StrEnum):
    """How the watch of an archive stands."""

    NOT_STARTED = "not started"  # no process has watched it yet
    STARTING = "starting"
    REACHABLE = "reachable"
    UNREACHABLE = "unreachable"  # asked again within seconds
    REFUSED = "refused"  # it answers, but not as it should: the settings may be wrong
    NO_ROOM = "no room"  # nothing can be stored here
    NO_RECORDS = "no records"  # our own records fail


class PausedKind(StrEnum):
    """What a person can pause."""

    DESTINATION = "destination"  # nothing is sent there, and it is asked for nothing
    SOURCE = "source"  # it is not watched
    WORKLIST = "worklist"  # it is asked for nothing, and told nothing
    MODULE = "module"  # no analysis by it begins; people say that it is disabled


class StepState(StrEnum):
    """How a step of a worklist stands; what the worklist calls it is in brackets (PS3.4 CC)."""

    WAITING = "waiting"  # its images are not here yet, nobody has claimed it (SCHEDULED)
    CLAIMING = "claiming"  # our Transaction UID is on disk, and the worklist is asked for it
    CLAIMED = "claimed"  # it is ours: fetched, analysed and delivered (IN PROGRESS)
    COMPLETING = "completing"  # the results have arrived, and the worklist is told
    COMPLETED = "completed"  # the worklist knows (COMPLETED)
    CANCELLING = "cancelling"  # there will be no result, and the worklist is told
    CANCELED = "canceled"  # the worklist knows (CANCELED)
    LOST = "lost"  # another performer has it, or the worklist has ended it


STEPS_OPEN = (
    StepState.WAITING,
    StepState.CLAIMING,
    StepState.CLAIMED,
    StepState.COMPLETING,
    StepState.CANCELLING,
)


class EventKind(StrEnum):
    """What a line in the trace of a study tells of."""

    RECEIVING = "receiving"  # images come, or came before
    UPLOADED = "uploaded"  # a person hands images over, and says where results go
    QUARANTINED = "quarantined"  # an object was not taken in
    NOT_FETCHED = "not fetched"  # an archive lists an image and does not give it
    RELEASED = "released"  # a sender closed its association; or a person had results sent again
    ABORTED = "aborted"  # an association broke off
    LATE = "late"  # images came after others of the study had been removed
    UNREADABLE = "unreadable"  # an error came up while the study was judged
    UNJUDGED = "cannot be judged"  # a module or the machine lacks something
    COMPLETE = "complete"  # there is enough to decide
    SERIES = "series"  # what was decided about one series
    IDENTITY = "identity"  # whose the images are
    DECIDED = "decided"  # it was decided whose the images are
    CORRECTED = "corrected"  # the images were sent again with other patient data
    MOVED = "moved"  # a result came back under other patient data
    SCHEDULED = "scheduled"
    RUNNING = "running"
    PRIORS = "priors"  # earlier results that could not be compared
    NORMS = "norms"  # norms that could not be used
    ANALYSED = "analysed"
    WRITTEN = "written"  # the result objects are on the disk
    DELAYED = "delayed"  # a delivery is tried again later
    ASKED = "asked"  # a destination took the results and does not show them yet
    SENT_AGAIN = "sent again"  # something that a destination may hold already
    WARNING = "warning"  # a destination took a result with a warning
    REFUSED = "refused"  # a destination refused a result
    NOT_SHOWN = "not shown"  # a destination took the results and never showed them
    MISFILED = "misfiled"  # a destination shows the results under another patient
    CAUTION = "caution"  # a destination files the results with other patient or study data
    VERIFIED = "verified"  # a destination has shown the results to us
    COMMITTED = "committed"  # a destination has committed itself to keep the results
    ACCEPTED = "accepted"  # a destination took the results, and nothing proves more
    COMPLETED = "completed"
    NOT_APPLICABLE = "not applicable"
    HELD = "held"
    PARKED = "parked"
    FAILED = "failed"
    CANCELLED = "cancelled"
    WITHDRAWN = "withdrawn"
    ASSESSED = "assessed"  # a reader said whether a result is right
    REMOVED = "removed"  # a rule has removed the images
    WORKLIST = "worklist"  # what becomes of a step that a worklist asks for
    PERSON = "person"  # not in the records: what a person asked for, from the audit trail
    NEXT = "next"  # not in the records: what is tried again, and when


class RequestAction(StrEnum):
    """What a person can ask the gateway for."""

    RELEASE = "release"
    RESEND = "resend"
    RETRY = "retry"
    BEGIN = "begin"  # have an analysis that waits begin before all others
    CANCEL = "cancel"
    DECIDE = "decide"
    WITHDRAW = "withdraw"
    RERUN = "rerun"  # have today's rules and modules decide on a study again
    ANALYSE = "analyse"  # run a module that no rule has chosen on a study
    ANALYSE_SHORT = "analyse short"  # analyse a held series that is shorter than announced
    SEND_ON = "send on"  # send a result to one more destination
    PASS_ON = "pass on"  # tell the destinations what a reader said; asked for by Hilum itself
    WITHDRAW_REJECTED = "withdraw rejected"  # a reader rejects the result; asked for by Hilum, too
    FETCH = "fetch"  # fetch a study from an archive
