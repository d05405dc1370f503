"""What Proxmox's refusals mean: texts and codes in, an error of `labctl.errors` out. Pure; nothing is called here.

Proxmox has no error codes beyond HTTP's: a lock that was not got, a guest that is gone and a wrong parameter are all
`500` with a sentence (`proxmox-truth.md` 3.1-3.9). So the sentence decides, and every sentence known is in the tables
below with the section that names it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from labctl import errors


class UnknownOutcome(errors.Unreachable):
    """The request may or may not have been carried out: look before repeating it (`proxmox-truth.md` 3.1, 596)."""

    overloaded = False
    """Whether that is how a daemon with too few workers reads (`proxmox-truth.md` 4: 596, 599)."""


class Crowded(errors.Busy):
    """Too much at once: a lock of a storage or of the cluster was not got in time, or no worker (`proxmox-truth.md` 3.3, 3.4)."""


class Stopped(errors.Busy):
    """The wait was cut short because the work is being cancelled."""


@dataclass(frozen=True)
class Answer:
    """A refusal as it came: HTTP status (0 for a task's exit status), the whole message, errors by parameter."""

    status: int
    text: str
    parameters: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        details = "; ".join(f"{name}: {text.strip()}" for name, text in self.parameters)
        text = " ".join(self.text.split())
        return f"{text} ({details})" if details else text


_CROWDED = re.compile(
    r"""pve-storage-\S+\ -\ got\ timeout         # 3.4: storage flock
      | got\ lock\ request\ timeout           # 3.4: cluster file locks
      | -locked\ command\ timed\ out          # 3.4: shared storage held for more than 60 s
      | got\ no\ worker\ upid | starting\ worker\ failed | unable\ to\ fork\ worker     # 3.3
    """,
    re.VERBOSE,
)
_BUSY = re.compile(
    r"""got\ timeout                          # 3.4: config flock
      | (?:VM|CT)\ is\ locked\ \(             # 3.4: the `lock:` property
      | cfs-lock\ '.*'\ error                 # 3.4, 3.9
      | invalid\ lock\ token\ provided        # 3.11: somebody else holds the SDN lock
      | could\ not\ acquire\ lock             # 3.11
      | checksum\ mismatch | detected\ modified\ configuration                          # 3.8: digest
      | cluster\ not\ ready\ -\ no\ quorum | no\ quorum!                                # 3.9
      | unable\ to\ open\ file\ '/etc/pve/\S+'\ -\ Permission\ denied                   # 3.9: without quorum
      | guest\ migration\ lock                # 3.4
      | bridge\ '\S+'\ does\ not\ exist       # 3.11: the VNet is not on this node yet
      | unexpected\ state\ change             # 3.5
    """,
    re.VERBOSE,
)
_CUT_OFF = re.compile(r"unexpected status|unable to get last line from task log|interrupted by signal|received interrupt")
"""How a task reads whose node or worker died, or was told to stop, in the middle (`proxmox-truth.md` 3.3; 2.1, task DELETE)."""
_GONE = re.compile(
    r"""does\ not\ exist                      # guests, pools, VNets, snapshots, templates
      | unable\ to\ find\ configuration\ file # 3.5
      | no\ such\ (?:task|VM|CT|cluster\ node|storage|zone|user)
      | hostname\ lookup\ '\S+'\ failed       # 0: an unknown node
    """,
    re.VERBOSE,
)
_FULL = re.compile(r"No space left|out of space|[Nn]ot enough (?:free )?space|[Ii]nsufficient free space|[Qq]uota exceeded")
"""The storages' own tools say it, each in its words (LVM, ZFS, Ceph, the kernel's ENOSPC); Proxmox passes them on."""
_CONFLICT = re.compile(
    r"""already\ (?:exists?|defined|running|used)  # VMID, pool, VNet, tag
      | config\ file\ already\ exists | File\ exists   # 3.5: the VMID is taken, here or on another node
      | is\ not\ empty | still\ in\ use | in\ use\ by
      | (?:CT|VM)\ \d+\ not\ running | container\ is\ running | is\ running\ -\ destroy
      | protection\ mode\ enabled             # 3.8
    """,
    re.VERBOSE,
)

_KINDS: tuple[tuple[re.Pattern[str], type[errors.LabctlError]], ...] = (
    (_CUT_OFF, UnknownOutcome),
    (_FULL, errors.Full),
    (_CROWDED, Crowded),
    (_BUSY, errors.Busy),
    (_CONFLICT, errors.Conflict),
    (_GONE, errors.NotFound),
    (re.compile(r"Permission check failed|403 "), errors.Forbidden),
)
"""The first that is found decides."""


def judge(answer: Answer, doing: str) -> errors.LabctlError:
    """The error of labctl for a refusal of `doing` (a short phrase: "POST /pools")."""
    message = f"Proxmox refused {doing}: {answer}"
    text = str(answer)
    if answer.status == 401:
        return errors.Forbidden(
            f"Proxmox does not know labctl's API token ({doing})",
            hint="Check user, token name and the secret's file in site.yaml; a wrong, expired and unknown token look the same.",
        )
    if answer.status == 403:
        return _forbidden(text, message)
    made: errors.LabctlError
    if answer.status == 595:
        made = errors.Unreachable(f"the node behind Proxmox does not answer ({doing}): {text}")
    elif answer.status in {502, 503, 504, 596, 597, 598, 599}:
        made = _lost(answer.status, f"Proxmox lost the connection to its node while doing {doing}: {text}")
    else:
        return _by_text(text, message)
    if on := re.search(r"/nodes/([^/ ]+)", doing):
        made.node = on[1]
    return made


def _lost(status: int, message: str) -> UnknownOutcome:
    lost = UnknownOutcome(message)
    lost.overloaded = status in {596, 599}
    return lost


def _forbidden(text: str, message: str) -> errors.LabctlError:
    if re.search(r"pool '\S+' does not exist", text):
        return errors.NotFound(message)
    return errors.Forbidden(message, hint="`labctl doctor` compares the token's privileges with what labctl needs.")


def _by_text(text: str, message: str) -> errors.LabctlError:
    for sentence, kind in _KINDS:
        if sentence.search(text):
            return kind(message)
    if re.search(r"Permission check failed|403 ", text):
        return errors.Forbidden(message)
    return errors.PermanentError(message)


def is_crowding(error: BaseException) -> bool:
    """Whether fewer at once would have helped."""
    return isinstance(error, Crowded) or (isinstance(error, UnknownOutcome) and error.overloaded)
