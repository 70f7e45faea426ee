-- Versions that a release of a site holds: the functions in its folder. They answer at the site, and stay while the
-- release does. (Releases are in tables of their own, which may not be there yet.)

create table held_versions (
    project text not null,
    worker text not null,
    version text not null,
    site text not null,
    release integer not null,
    primary key (site, release, worker),
    foreign key (project, worker, version) references versions (project, worker, id)
) strict;

create index held_by_version on held_versions (project, worker, version);
