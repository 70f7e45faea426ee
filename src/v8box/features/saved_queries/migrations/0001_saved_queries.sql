-- SQL under a name. Times are Unix times in seconds.
create table saved_queries (
  id text primary key,
  project text not null,
  database text not null,
  name text not null,
  sql text not null,
  created_at real not null,
  created_by text not null,
  updated_at real not null,
  updated_by text not null
) strict;

create unique index saved_queries_by_name on saved_queries (project, database, name);
