-- What was slow on a day: a row for each worker, method and pattern of paths. `figures` is JSON, only ever read as a whole.
create table slow (
  day integer not null,
  project text not null,
  environment text not null,
  worker text not null,
  method text not null,
  pattern text not null,
  figures text not null,
  primary key (project, day, environment, worker, method, pattern)
) strict, without rowid;
