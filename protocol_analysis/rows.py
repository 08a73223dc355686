"""The rows of a ruleset, and how they are looked up: by release, section, kinds and value. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache, cached_property

from protocol_analysis.releases import pick, release_key

# Where backends are referred to outside routes: the reference's role, then how it is used. To a
# mesh every call is one place, unless a GRPCRoute with a Service as its parent says more.
SITES = (
    *("extAuth http", "extAuth grpc", "extProc", "oidc http", "oidc https", "jwks http"),
    *("jwks https", "accessLog als", "accessLog openTelemetry", "tracing openTelemetry"),
    *("tracing other", "metrics", "mesh", "mesh grpc"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One rule with the releases it holds for and the source that shows it."""

    id: str
    section: str
    text: str
    source: str
    releases: frozenset[str]
    backends: tuple[str, ...]
    routes: tuple[str, ...]
    values: tuple[str, ...] = ()
    protocol: str | None = None
    choice: str = ""
    section_name: str = ""
    fold: bool = False
    verified: bool = True
    line: int = 0

    def names(self, value: str) -> bool:
        """Whether it names a value: exactly, in any case where it folds, by its beginning with `*`.

        >>> row = Row(id="", section="values", text="", source="", releases=frozenset(),
        ...           backends=(), routes=(), values=("grpc", "grpc-*"), fold=True)
        >>> [row.names(value) for value in ("GRPC", "grpc-web", "grpcs")]
        [True, True, False]
        """
        written = value.casefold() if self.fold else value
        return any(
            written.startswith(name[:-1]) if name.endswith("*") else written == name
            for name in self.values
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The rows of one implementation that hold at one release, ready to be looked up."""

    implementation: str
    release: str
    controllers: tuple[str, ...]
    rows: tuple[Row, ...] = field(hash=False)  # the rest tells them apart, and is hashed often
    standard: frozenset[str]  # what a specification defines, for whatever kind
    by_number: bool = False
    mesh: bool = False
    _tables: dict[tuple[str, str, str], tuple[Row, ...]] = field(
        default_factory=dict, compare=False, repr=False
    )

    def find(self, section: str, backend: str, route: str) -> tuple[Row, ...]:
        """The rows of a section for a backend kind on a route kind."""
        key = (section, backend, route)
        if key not in self._tables:
            self._tables[key] = tuple(
                row
                for row in self.rows
                if row.section == section and backend in row.backends and route in row.routes
            )
        return self._tables[key]

    def value(self, section: str, backend: str, route: str, value: str) -> Row | None:
        """The row of a section that names `value`."""
        return next((row for row in self.find(section, backend, route) if row.names(value)), None)


@dataclass(frozen=True, kw_only=True)
class Ruleset:
    """All rows of one implementation, with its releases and their dates, oldest first."""

    implementation: str
    title: str
    role: str
    controllers: tuple[str, ...]
    dates: dict[str, str]
    lines: dict[str, dict[str, str]]
    rows: tuple[Row, ...]
    by_number: bool = False

    @cached_property
    def releases(self) -> tuple[str, ...]:
        """Every release known, oldest first, `main` last."""
        return tuple(sorted(self.dates, key=release_key))

    @property
    def newest(self) -> str:
        """The newest final release known, or the code where there is none."""
        return self.pick()[0]

    @cache  # noqa: B019 - rulesets live as long as the process
    def pick(self, wanted: str | None = None) -> tuple[str, str]:
        """The known release that `wanted` means, and a warning where it is not known exactly.

        Raises RulesetError as `releases.pick` does.

        >>> from protocol_analysis.rules import ruleset
        >>> ruleset("envoy-gateway").pick("1.8")
        ('v1.8.3', '')
        """
        # A list without dates has only the releases at which something is known to have changed.
        return pick(wanted, self.releases, sparse="" in self.dates.values())

    @property
    def mesh(self) -> bool:
        """Whether it reads Services as a mesh; it may be a gateway too."""
        return self.role.endswith("mesh")

    def at(self, release: str | None = None, *, mesh: bool = False) -> Rules:
        """The rules of its gateways, or of the mesh, at a release as `pick` understands it."""
        return self._at(self.pick(release)[0], mesh or self.role == "mesh")

    @cache  # noqa: B019 - rulesets live as long as the process
    def _at(self, known: str, mesh: bool) -> Rules:  # noqa: FBT001 - `cache` wants it plain
        rows = tuple(row for row in self.rows if known in row.releases)
        named = (row.values for row in rows if row.section == "standard")
        return Rules(
            implementation=self.implementation,
            release=known,
            controllers=self.controllers,
            rows=rows,
            standard=frozenset().union(*named),
            by_number=self.by_number,
            mesh=mesh,
        )

    def __hash__(self) -> int:
        return id(self)
