"""What wants somebody's attention, of all the projects that they may see: alerts that fire, errors that are new or
back, long work that failed or goes on. Nothing is kept here: each source is asked, see `service`.
"""

from v8box.features.inbox.service import Inbox, Notice, NoticeKind, Source

__all__ = ["Inbox", "Notice", "NoticeKind", "Source"]
