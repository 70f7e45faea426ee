-- Variables and secrets, every value sealed, and the revision by which sandboxes know that they are of yesterday.
-- In all of these '' as environment means every environment, '' as worker every worker of the project.

create table variables (
    project text not null,
    environment text not null,
    worker text not null,
    name text not null,
    secret integer not null,
    version integer not null,        -- the current value; counts from 1
    size integer not null,           -- bytes of the current value
    primary key (project, environment, worker, name)
) strict;

create table variable_values (
    project text not null,
    environment text not null,
    worker text not null,
    name text not null,
    version integer not null,
    secret integer not null,
    sealed blob not null,
    created_at text not null,        -- RFC 3339, UTC
    created_by text not null,
    primary key (project, environment, worker, name, version),
    foreign key (project, environment, worker, name) references variables (project, environment, worker, name)
        on delete cascade
) strict;

create table variable_revisions (
    project text not null,
    environment text not null,
    worker text not null,
    value integer not null,
    primary key (project, environment, worker)
) strict;
