"""The settings of the program, as a file may say them and as the program works with them."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from opsconsole.config.diagnostics import Diagnostic
from opsconsole.contracts.probe import Source


class PeopleSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who may sign."""

    allowed_signers: str = ""
    """The file of people, keys and roles; `allowed_signers` beside the configuration file where it is left out."""
    revoked_keys: str = ""
    """A file of keys that were compromised (an OpenSSH key revocation list, or public keys a line each)."""


class SigningSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """With what this operator signs."""

    key: str = ""
    """The public or private key to use; whatever the agent and ~/.ssh offer where it is left out."""
    timeout: int = 60
    """Seconds to wait for an agent or the touch of a security key."""
    pam_service: str = ""
    """The PAM service that takes a password again; without it nobody can be reauthenticated."""


class AnchorSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the head of the chain is noted outside of the record."""

    journal: bool = True
    """A line in the journal, or syslog, at each sign-off."""
    git: str = ""
    """A git repository that gets each signed record as a commit."""


class RetentionSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `opsconsole prune` removes, in days; 0 keeps it for ever."""

    evidence: int = 0
    """The evidence of runs that were never signed."""
    exports: int = 0
    """Exported files, such as day logs."""


class RunSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How runs are measured."""

    concurrency: int = 16
    """So many sources are measured at once, at most: items that ask one server or database count as one, and one
    that asks none counts by itself."""


class ConsoleSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the console draws."""

    ascii: bool = False
    """ASCII characters only, also where the terminal could show others."""
    color: bool = True
    """Colours; NO_COLOR in the environment turns them off as well."""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a configuration file may say."""

    checklists: tuple[str, ...] = ()
    """Directories with checklists, or single files; those that come with the program where it is left out."""
    qualifications: tuple[str, ...] = ()
    """Directories with qualifications, or single files; none where it is left out."""
    store: str = ""
    """Where the records are: a SQLite file (`opsconsole.db` in the state directory where it is left out), or the
    PostgreSQL database that several hosts share (`postgresql://HOST/DATABASE`, `service=NAME`)."""
    exports: str = ""
    """The directory of day logs and exported records; `day-logs` in the state directory where it is left out."""
    run: RunSettings = RunSettings()
    console: ConsoleSettings = ConsoleSettings()
    people: PeopleSettings = PeopleSettings()
    signing: SigningSettings = SigningSettings()
    anchors: AnchorSettings = AnchorSettings()
    retention: RetentionSettings = RetentionSettings()
    sources: dict[str, Source] = {}
    """Connections by name, as the items of checklists name them."""


class StorePlace(msgspec.Struct, frozen=True):
    """Where the records are: one of the two is given."""

    path: Path | None = None
    """A SQLite file."""
    dsn: str = ""
    """A libpq connection string or URL, without a password."""

    def __str__(self) -> str:
        return str(self.path) if self.path is not None else self.dsn


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """What the program works with; all paths are absolute."""

    state: Path
    """The directory of everything that is kept."""
    store: StorePlace
    exports: Path
    """The directory of day logs and exported records."""
    allowed_signers: Path
    """The file of people, keys and roles, which need not exist."""
    revoked_keys: Path | None = None
    signing: SigningSettings = SigningSettings()
    """With `key` as an absolute path where one is given."""
    journal: bool = True
    """Whether each sign-off leaves a line in the journal."""
    git: Path | None = None
    """The git repository of exported records."""
    retention: RetentionSettings = RetentionSettings()
    checklists: tuple[Path, ...] = ()
    """Empty where nothing is configured: then those that come with the program are offered."""
    qualifications: tuple[Path, ...] = ()
    run: RunSettings = RunSettings()
    console: ConsoleSettings = ConsoleSettings()
    sources: Mapping[str, Source] = {}


class Setting(msgspec.Struct, frozen=True):
    """One value as `config show` tells it."""

    key: str
    value: str
    origin: str
    """`config.toml:12`, the name of an environment variable, `command line` or `default`."""


class LoadedConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The configuration as it was found, usable or not."""

    path: Path | None
    """The file, None where there is none."""
    config: Config | None
    settings: tuple[Setting, ...] = ()
    problems: tuple[Diagnostic, ...] = ()
    warnings: tuple[Diagnostic, ...] = ()
