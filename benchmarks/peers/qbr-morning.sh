#!/bin/bash
# The QBR morning by hand: the nine commands of the monitoring procedure, one after another, for a person to read.
# It judges nothing and keeps nothing. PSQL is the client; PGHOST, PGDATABASE and PGUSER say where. With JOURNAL=no
# the two questions to the journal are left out, for hosts that have none.
set -eu
PERIOD=$(date -d yesterday '+%Y-%m')

ask() {
  "$PSQL" --no-psqlrc -c "$1"
}

echo "1. Collection log"
ask "select period, collector_name, status, records_collected,
            to_char(started_at, 'YYYY-MM-DD HH24:MI:SS') as started,
            to_char(completed_at, 'YYYY-MM-DD HH24:MI:SS') as completed,
            extract(epoch from (completed_at - started_at)) as duration_seconds
     from qbr_collection_log
     where started_at >= current_date - interval '1 day'
     order by started_at desc limit 10"

echo "2. Metrics of $PERIOD"
ask "select metric_name, metric_value, vendor_id, data_source, to_char(updated_at, 'YYYY-MM-DD HH24:MI') as updated
     from qbr_metrics_monthly where period = '$PERIOD' order by vendor_id nulls last, metric_name"

if [ "${JOURNAL:-yes}" = yes ]; then
  echo "3. Last lines of the service"
  journalctl -u qbr-collector.service --since "24 hours ago" --no-pager | tail -20
fi

echo "4. Number of metrics"
ask "select count(*) from qbr_metrics_monthly where period = '$PERIOD'"

if [ "${JOURNAL:-yes}" = yes ]; then
  echo "5. Errors of the service"
  journalctl -u qbr-collector.service --since "24 hours ago" -p err --no-pager
fi

echo "6. Database"
ask "select count(*) as total_metrics, count(distinct period) as periods,
            pg_size_pretty(pg_total_relation_size('qbr_metrics_monthly')) as table_size
     from qbr_metrics_monthly"

echo "7. Disk"
df -h /opt

echo "8. Memory"
free -h

echo "9. Connections"
ask "select count(*) from pg_stat_activity where datname = current_database()"
