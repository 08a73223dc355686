"""What a reader of a page sees: its tags, where its links lead, and its text cell by cell."""

from __future__ import annotations

from html.parser import HTMLParser


class Seen(HTMLParser):
    """A page, read."""

    def __init__(self, page: str) -> None:
        """Read it."""
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.text = ""
        self.cells: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep it."""
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name == "href"]
        self.cells += [""] if tag in ("td", "th") else []

    def handle_data(self, data: str) -> None:
        """Keep it."""
        self.text += data
        if self.cells:
            self.cells[-1] += data.strip("\n ")
