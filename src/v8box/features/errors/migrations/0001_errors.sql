-- Errors of workers, grouped. Times are Unix times in seconds, hours are counted since 1970.
create table error_groups (
  id text primary key,
  project text not null,
  worker text not null,
  kind text not null,
  name text not null,
  message text not null,
  function text not null,
  file text not null,
  line integer not null,
  col integer not null,
  stack text not null,
  stack_version text not null,
  stack_number integer not null,
  state text not null check (state in ('open', 'ignored', 'resolved', 'regressed')),
  ignored_until real,
  resolved_at real,
  resolved_number integer not null default 0,
  regressed_at real,
  changed_by text not null default '',
  first_seen real not null,
  last_seen real not null,
  count integer not null,
  first_version text not null,
  first_number integer not null,
  last_version text not null,
  last_number integer not null
) strict;

create index error_groups_by_project on error_groups (project, worker, last_seen);
create index error_groups_by_time on error_groups (last_seen);

create table error_seen (
  error text not null references error_groups (id) on delete cascade,
  version text not null,
  environment text not null,
  number integer not null,
  first_seen real not null,
  last_seen real not null,
  count integer not null,
  primary key (error, version, environment)
) strict, without rowid;

create table error_hours (
  error text not null references error_groups (id) on delete cascade,
  hour integer not null,
  count integer not null,
  primary key (error, hour)
) strict, without rowid;

create table error_samples (
  id integer primary key,
  error text not null references error_groups (id) on delete cascade,
  run text not null,
  request_id text not null,
  at real not null,
  version text not null,
  environment text not null,
  message text not null
) strict;

create index error_samples_by_error on error_samples (error, id);
