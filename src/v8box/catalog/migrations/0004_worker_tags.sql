-- Words that people put on workers, to find those that belong together. Of a worker, not of a version: a rollback
-- leaves them.

create table worker_tags (
    project text not null,
    worker text not null,
    tag text not null,
    primary key (project, worker, tag)
) strict, without rowid;

-- Lists look for what is live of a worker in whatever environment.
create index deployments_of_worker on deployments (project, worker, environment);
create index shares_of_version on shares (project, worker, version);
