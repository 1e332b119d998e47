from datetime import date
from typing import Any

from django.db import IntegrityError, transaction
from newsletter.models import Digest, Subscriber

import rocksy


class SendDigest:
    """Sends an issue (`2026-48`; else this week's) to everybody who has not had it: as often and as many at once as you like."""

    def run(self, params: list[str]) -> dict[str, Any]:
        issue = params[0] if params else f"{date.today():%G-%V}"
        waiting = list(Subscriber.objects.filter(active=True).exclude(digests__issue=issue).order_by("email"))
        sent = 0
        for number, subscriber in enumerate(waiting, 1):
            sent += self.send(subscriber, issue)
            rocksy.progress(100 * number // len(waiting), str(subscriber))
        return {"issue": issue, "sent": sent, "had_it": Digest.objects.filter(issue=issue).count() - sent}

    def send(self, subscriber: Subscriber, issue: str) -> bool:
        try:
            with transaction.atomic():
                Digest.objects.create(subscriber=subscriber, issue=issue)
        except IntegrityError:
            return False  # another run was faster
        print(f"to {subscriber}: issue {issue}")
        return True
