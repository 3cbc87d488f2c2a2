"""What can be wrong with the synchronisation of the demo."""

from opsconsole.demo.system import DemoFault


class Fault(DemoFault):
    """One thing that is wrong with it now."""

    QUESTDB_STUCK = "questdb-stuck", "QuestDB takes no queries, while its health page says that it is well"
    QUESTDB_UNWELL = (
        "questdb-unwell",
        "QuestDB counts critical errors, while it still answers queries",
        "sync-15min",
    )
    POCKETBASE_DOWN = "pocketbase-down", "PocketBase has ended"
    TOKEN_REVOKED = (
        "token-revoked",
        "the console's token was revoked: PocketBase answers it with 200 and no records",
    )
    ALARMS_STOPPED = (
        "alarms-stopped",
        "alarms are not copied any more; none came in the meantime, so the numbers of records still agree",
        "sync-15min",
    )
    LOST_RECORDS = "lost-records", "40 of yesterday's measurements never reached PocketBase"
    DOUBLED_ALARM = "doubled-alarm", "one of yesterday's alarms is in PocketBase twice"
    COLLECTION_LOST = "collection-lost", "the collection of measurements was deleted from PocketBase"
    BROKEN_SENSOR = "broken-sensor", "a sensor sent -327.68 all of yesterday; both stores have it, so they agree"
    UNNAMED_DEVICE = "unnamed-device", "6 of yesterday's alarms do not say which device they are of"
    FAILED_RUNS = "failed-runs", "31 of yesterday's runs failed; later ones made up for them"
    NO_SYNC_LOG = "no-sync-log", "the table of the synchronisation's runs is gone"
    MISSED_BACKUPS = "missed-backups", "QuestDB was not backed up in the last two nights"
    EMPTY_BACKUP = "empty-backup", "PocketBase's newest backup has 0 bytes, and a checksum that fits them"
    OPEN_COLLECTION = "open-collection", "anybody may read PocketBase's alarms, without a token", "sync-monthly"
