-- The files are in data/captures, by id. Times are Unix times in seconds.
create table captures (
  id text primary key,
  project text not null,
  environment text not null,
  worker text not null,
  version text not null,
  kind text not null,
  created_at real not null,
  created_by text not null,
  bytes integer not null,
  note text not null
) strict;

create index captures_by_project on captures (project, created_at);
