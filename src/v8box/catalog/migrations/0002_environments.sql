-- Versions get a number, an author, a message, a pin and tags; a deployment may have two versions with weights.

alter table versions add column number integer not null default 0;
alter table versions add column created_by text not null default 'the served folder';
alter table versions add column message text not null default '';
alter table versions add column pinned integer not null default 0;
alter table versions add column bundle_bytes integer not null default 0;

update versions set number = (
    select count(*) from versions as earlier
    where earlier.project = versions.project and earlier.worker = versions.worker
        and (earlier.created_at, earlier.id) <= (versions.created_at, versions.id)
);

create unique index version_numbers on versions (project, worker, number);

create table tags (
    project text not null,
    worker text not null,
    tag text not null,
    version text not null,
    primary key (project, worker, tag),
    foreign key (project, worker, version) references versions (project, worker, id)
) strict;

create table shares (
    project text not null,
    environment text not null,
    worker text not null,
    position integer not null,       -- 0, then 1 for the newer of two
    version text not null,
    weight integer not null check (weight between 0 and 100),
    primary key (project, environment, worker, position),
    foreign key (project, worker, version) references versions (project, worker, id)
) strict;

insert into shares (project, environment, worker, position, version, weight)
select project, environment, worker, 0, version, 100 from deployments;

create table pointers (
    project text not null,
    environment text not null,
    worker text not null,
    number integer not null,         -- counts the changes of this deployment; never starts again
    fingerprint text not null,       -- JSON: what the build of the newest version depended on
    sticky text not null,
    changed_at text not null,        -- RFC 3339, UTC
    changed_by text not null,
    primary key (project, environment, worker)
) strict;

insert into pointers (project, environment, worker, number, fingerprint, sticky, changed_at, changed_by)
select project, environment, worker, 1, fingerprint, '', strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), 'the served folder'
from deployments;

drop table deployments;
alter table pointers rename to deployments;

alter table history add column deployment integer not null default 0;
alter table history add column shares text not null default '';  -- JSON: [[version, weight], …]
alter table history add column made_by text not null default 'the served folder';
alter table history add column message text not null default '';

create table last_numbers (
    project text not null,
    worker text not null,
    value integer not null,
    primary key (project, worker)
) strict;

insert into last_numbers (project, worker, value)
select project, worker, max(number) from versions group by project, worker;
