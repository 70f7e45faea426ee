-- What a key opens is JSON, since it is only ever read as a whole. Times are Unix times in seconds.
create table api_keys (
  id text primary key,
  project text not null,
  name text not null,
  scopes text not null,
  secret_hash blob not null,
  previous_hash blob,
  previous_until real not null default 0,
  created_at real not null,
  created_by text not null,
  expires_at real,
  used_at real
) strict;

create index api_keys_by_project on api_keys (project, created_at);
