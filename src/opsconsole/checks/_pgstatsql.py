"""The queries behind the ready-made figures of the probe `postgres`: one each, for PostgreSQL 14 and later.

A row has four parts: first why nothing can be said (null where something can), then the measures, then the columns
of the table, then the rank of the row, null where the table is empty. Measures are of everything, the table is of
the first `$top` rows. What could not be seen is null, and so is a sum or maximum that it would belong to.
`$unprivileged` is null for a role that sees the statistics of others: without that right their sessions show
neither state nor query, and standbys no positions. Views and functions: PostgreSQL manual, chapters "Monitoring
Database Activity", "System Catalogs" and "System Administration Functions".
"""

CONNECTIONS = """
with sessions as (
  select coalesce(usename::text, '?') as role, coalesce(datname::text, '?') as database,
         coalesce(state, 'starting') as state, wait_event_type
    from pg_stat_activity where backend_type = 'client backend'
), figures as (
  select count(*) as used, current_setting('max_connections')::int as max,
         current_setting('superuser_reserved_connections')::int
           + coalesce(current_setting('reserved_connections', true)::int, 0) as reserved,
         count(*) filter (where state in ('active', 'fastpath function call')) as active,
         count(*) filter (where state = 'idle') as idle,
         count(*) filter (where state like 'idle in transaction%') as idle_in_transaction,
         count(*) filter (where wait_event_type = 'Lock') as waiting, bool_or(state = 'disabled') as untracked
    from sessions
), grouped as (
  select role, database, state, count(*) as connections,
         row_number() over (order by count(*) desc, role, database, state) as rank
    from sessions group by role, database, state
)
select coalesce($unprivileged, case when untracked then 'untracked' end),
       used, max, reserved, round(100.0 * used / nullif(max - reserved, 0), 2), active, idle, idle_in_transaction,
       waiting, role, database, state, connections, rank
  from figures left join grouped on rank <= $top order by rank
"""

ACTIVITY = """
with sessions as (
  select format('pid %s %s@%s %s', pid, coalesce(usename, '?'), coalesce(datname, '?'), application_name)
           as session,
         state, wait_event_type = 'Lock' as blocked,
         case when state in ('active', 'fastpath function call')
              then extract(epoch from clock_timestamp() - query_start) end as running,
         extract(epoch from clock_timestamp() - xact_start) as transaction,
         case when state like 'idle in transaction%'
              then extract(epoch from clock_timestamp() - state_change) end as idle,
         left(query, $text) as query
    from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()
), figures as (
  select count(running) as active, count(idle) as idle_in_transaction, count(*) filter (where blocked) as waiting,
         coalesce(max(running), 0) as longest_query, coalesce(max(transaction), 0) as longest_transaction,
         coalesce(max(idle), 0) as longest_idle, bool_or(state = 'disabled') as untracked,
         (select coalesce(max(extract(epoch from clock_timestamp() - prepared)), 0) from pg_prepared_xacts)
           as oldest_prepared
    from sessions
), ranked as (
  select *, row_number() over (order by greatest(running, transaction) desc nulls last, session) as rank
    from sessions where running is not null or transaction is not null
)
select coalesce($unprivileged, case when untracked then 'untracked' end),
       active, figures.idle_in_transaction, waiting, longest_query, longest_transaction, longest_idle,
       oldest_prepared, session, state, running, transaction, idle, blocked, query, rank
  from figures left join ranked on rank <= $top order by rank
"""

LOCKS = """
with waits as (
  select format('pid %s %s@%s %s', a.pid, coalesce(usename, '?'), coalesce(datname, '?'), application_name)
           as session,
         extract(epoch from clock_timestamp() - coalesce(l.waitstart, a.query_start)) as waited,
         array_to_string(pg_blocking_pids(a.pid), ', ') as blocked_by,
         coalesce(case when l.database = (select oid from pg_database where datname = current_database())
                       then l.relation::regclass::text end, l.locktype) as lock,
         l.mode, left(a.query, $text) as query
    from pg_locks l join pg_stat_activity a on a.pid = l.pid where not l.granted
), figures as (
  select count(*) as waiting, case when count(*) = count(waited) then coalesce(max(waited), 0) end as longest_wait
    from waits
), ranked as (select *, row_number() over (order by waited desc nulls last, session) as rank from waits)
select $unprivileged, waiting, longest_wait, session, waited, blocked_by, lock, mode, query, rank
  from figures left join ranked on rank <= $top order by rank
"""

SIZES = """
with databases as (
  select datname::text as database,
         case when has_database_privilege(oid, 'connect') or pg_has_role('pg_read_all_stats', 'usage')
              then pg_database_size(oid) end as size
    from pg_database where datallowconn
), figures as (
  select count(*) as count, case when count(*) = count(size) then sum(size) end as total,
         max(size) filter (where database = current_database()) as value
    from databases
), ranked as (select *, row_number() over (order by size desc nulls first, database) as rank from databases)
select null, value, total, count, database, size, rank
  from figures left join ranked on rank <= $top order by rank
"""

TABLES = """
with tables as (
  select format('%I.%I', n.nspname, c.relname) as name, pg_total_relation_size(c.oid) as size,
         pg_indexes_size(c.oid) as indexes, case when c.reltuples >= 0 then c.reltuples::bigint end as rows
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
   where c.relkind in ('r', 'm') and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
), figures as (select count(*) as count, sum(size) as total, max(size) as largest from tables),
ranked as (select *, row_number() over (order by size desc nulls last, name) as rank from tables)
select null, figures.*, name, size, indexes, rows, rank
  from figures left join ranked on rank <= $top order by rank
"""

DATABASE = """
select case when not current_setting('track_counts')::boolean then 'uncounted' end,
       round(100.0 * blks_hit / nullif(blks_hit + blks_read, 0), 2), blks_hit + blks_read, deadlocks, temp_files,
       temp_bytes, conflicts, xact_commit, xact_rollback, checksum_failures, stats_reset,
       extract(epoch from clock_timestamp() - stats_reset), null
  from pg_stat_database where datname = current_database()
"""

VACUUM = """
with tables as (
  select format('%I.%I', schemaname, relname) as name, n_live_tup as rows, n_dead_tup as dead,
         round(100.0 * n_dead_tup / nullif(n_live_tup + n_dead_tup, 0), 2) as dead_share,
         greatest(last_vacuum, last_autovacuum) as vacuumed,
         extract(epoch from clock_timestamp() - greatest(last_vacuum, last_autovacuum)) as since_vacuum,
         extract(epoch from clock_timestamp() - greatest(last_analyze, last_autoanalyze)) as since_analyze
    from pg_stat_user_tables where n_live_tup + n_dead_tup >= $min_rows and schemaname !~ '^pg_'
), lost as (
  select min(format('%I.%I', schemaname, s.relname)) as name
    from pg_stat_user_tables s join pg_class c on c.oid = relid
   where reltuples >= $min_rows and n_live_tup + n_dead_tup < $min_rows and relkind in ('r', 'm')
     and schemaname !~ '^pg_' and greatest(last_vacuum, last_autovacuum, last_analyze, last_autoanalyze) is null
), figures as (
  select count(*) as count, max(dead_share) as worst, count(*) filter (where vacuumed is null) as never_vacuumed,
         max(since_vacuum) as oldest_vacuum, (select max(age(datfrozenxid)) from pg_database) as xid_age
    from tables
), ranked as (select *, row_number() over (order by dead_share desc nulls last, name) as rank from tables)
select case when pg_is_in_recovery() then 'standby' when not current_setting('track_counts')::boolean
            then 'uncounted' else 'lost: ' || lost.name end, count, worst, never_vacuumed, oldest_vacuum, xid_age,
       round(100.0 * xid_age / 2147483648, 2), ranked.name, rows, dead, dead_share, vacuumed, since_vacuum,
       since_analyze, rank
  from figures cross join lost left join ranked on rank <= $top order by rank
"""

INVALID = """
with objects as (
  select 'index' as kind, format('%I.%I', n.nspname, c.relname) as name, i.indrelid::regclass::text as relation,
         exists (select from pg_stat_progress_create_index p where p.index_relid = i.indexrelid) as building
    from pg_index i join pg_class c on c.oid = i.indexrelid join pg_namespace n on n.oid = c.relnamespace
   where not (i.indisvalid and i.indisready and i.indislive)
  union all
  select 'constraint', conname::text, coalesce(nullif(conrelid, 0)::regclass::text, contypid::regtype::text), false
    from pg_constraint c
   where not convalidated and coalesce((to_jsonb(c) ->> 'conenforced')::boolean, true)
), figures as (
  select count(*) filter (where not building) as value, count(*) filter (where kind = 'index' and not building),
         count(*) filter (where kind = 'constraint'), count(*) filter (where building)
    from objects
), ranked as (select *, row_number() over (order by building, kind, name) as rank from objects)
select null, figures.*, name, kind, relation, building, rank
  from figures left join ranked on rank <= $top order by rank
"""

REPLICATION = """
with server as (
  select pg_is_in_recovery() as standby, r.status is not null as receiving, r.last_msg_receipt_time as told,
         case when pg_is_in_recovery() then greatest(pg_last_wal_receive_lsn(), r.latest_end_lsn)
              else pg_current_wal_lsn() end as head
    from (select 1) one left join pg_stat_wal_receiver r on true
), standbys as (
  select coalesce(nullif(application_name, ''), '?') || ' ' || coalesce(client_addr::text, 'local') as name, state,
         sync_state, pg_wal_lsn_diff(head, replay_lsn) as behind,
         case when pg_wal_lsn_diff(head, replay_lsn) <= 0 then 0
              else extract(epoch from coalesce(replay_lag, flush_lag, write_lag)) end as lag
    from pg_stat_replication cross join server where state is distinct from 'backup'
), slots as (
  select count(*) filter (where not active) as inactive,
         case when count(restart_lsn) = 0 then 0 else max(pg_wal_lsn_diff(head, restart_lsn)) end as retained
    from pg_replication_slots cross join server
), own as (
  select case when receiving then pg_wal_lsn_diff(head, pg_last_wal_replay_lsn()) end as behind,
         case when receiving and pg_wal_lsn_diff(head, pg_last_wal_replay_lsn()) <= 0 then 0
              else extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp()) end as lag
    from server where standby
), figures as (
  select count(*) as standbys, count(*) filter (where state = 'streaming') as streaming,
         case when count(*) = count(lag) then max(lag) end as lag,
         case when count(*) = count(behind) then max(behind) end as behind
    from standbys
), ranked as (select *, row_number() over (order by behind desc nulls first, name) as rank from standbys)
select $unprivileged, server.standby, standbys, streaming,
       case when server.standby then own.lag else figures.lag end,
       case when server.standby then own.behind else figures.behind end,
       case when server.standby then receiving end,
       case when server.standby then extract(epoch from clock_timestamp() - told) end,
       case when server.standby then pg_is_wal_replay_paused() end,
       slots.inactive, slots.retained, ranked.name, ranked.state, sync_state, ranked.lag,
       ranked.behind, rank
  from figures cross join server cross join slots left join own on true left join ranked on rank <= $top
 order by rank
"""

EXTENSION = """
select quote_ident(n.nspname) as schema, e.extversion as version
  from pg_extension e join pg_namespace n on n.oid = e.extnamespace where e.extname = 'pg_stat_statements'
"""

STATEMENTS = """
with statements as (
  select left(s.query, $text) as statement, coalesce(r.rolname::text, '?') as role, s.calls,
         (s.mean_exec_time / 1000)::numeric as mean, (s.max_exec_time / 1000)::numeric as longest,
         (s.total_exec_time / 1000)::numeric as total, s.rows,
         round((100.0 * s.total_exec_time / nullif(sum(s.total_exec_time) over (), 0))::numeric, 2) as share,
         round(100.0 * shared_blks_hit / nullif(shared_blks_hit + shared_blks_read, 0), 2) as cache_hit
    from $schema.pg_stat_statements(true) s left join pg_roles r on r.oid = s.userid
   where s.dbid = (select oid from pg_database where datname = current_database())
), known as (select * from statements where calls >= $min_calls),
figures as (select count(*) as count, max(mean) as slowest, max(longest) as longest, max(share) as top from known),
ranked as (select *, row_number() over (order by $by desc nulls last, statement) as rank from known)
select $unprivileged, count, figures.slowest, figures.longest, figures.top,
       (select stats_reset from $schema.pg_stat_statements_info), statement, role, calls, mean, ranked.longest,
       total, share, rows, cache_hit, rank
  from figures left join ranked on rank <= $top order by rank
"""

UNPRIVILEGED = "case when not pg_has_role('pg_read_all_stats', 'usage') then 'role' end"
