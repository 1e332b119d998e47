import csv

from django.core.exceptions import ValidationError
from django.db import transaction
from newsletter.models import Subscriber
from newsletter.settings import FOLDER

import rocksy


class ImportSubscribers:
    """Reads a file of subscribers; without a name the one that comes with the example."""

    def run(self, params: list[str]) -> dict[str, int]:
        path = params[0] if params else FOLDER / "data" / "subscribers.csv"
        with open(path, newline="") as file:
            rows = list(csv.DictReader(file))
        counts = {"created": 0, "known": 0, "rejected": 0}
        with transaction.atomic():
            for number, row in enumerate(rows, 1):
                counts[self.take(row)] += 1
                rocksy.progress(100 * number // len(rows), f"{number} of {len(rows)}")
        return counts

    def take(self, row: dict[str, str]) -> str:
        if Subscriber.objects.filter(email=row["email"]).exists():
            return "known"
        subscriber = Subscriber(email=row["email"], name=row["name"])
        try:
            subscriber.full_clean()
        except ValidationError as error:
            print(f"{row['email']}: {error.messages[0]}")
            return "rejected"
        subscriber.save()
        return "created"
