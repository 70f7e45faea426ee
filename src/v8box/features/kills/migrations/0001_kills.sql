-- A report is JSON, since it is only ever read as a whole. `at` is the last of `count` ends of the same kind, `first_at`
-- the first, which the report is about. Times are Unix times in seconds.
create table kills (
  number integer primary key,
  id text not null unique,
  project text not null,
  environment text not null,
  worker text not null,
  version text not null,
  reason text not null,
  detail text not null,
  "limit" real,
  used real,
  first_at real not null,
  at real not null,
  count integer not null,
  report text not null
) strict;

create index kills_by_project on kills (project, number);
create index kills_by_worker on kills (project, worker, number);

create table kill_runs (
  run text not null,
  kill integer not null,
  primary key (run, kill)
) strict, without rowid;

create index kill_runs_by_kill on kill_runs (kill);
