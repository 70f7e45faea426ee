-- What happened, minute by minute and hour by hour. `at` is the Unix time at which the stretch begins.

create table series (
    id integer primary key,
    project text not null,
    environment text not null,
    worker text not null,
    version text not null,
    run_trigger text not null,
    name text not null,
    labels text not null,
    kind text not null,
    last_at integer not null, -- exact to an hour: when it last had figures
    unique (project, worker, environment, version, run_trigger, name, labels, kind)
);

create table minutes (
    series integer not null references series (id) on delete cascade,
    at integer not null,
    figures blob not null, -- `Figures`, in MessagePack
    primary key (series, at)
) without rowid;

create table hours (
    series integer not null references series (id) on delete cascade,
    at integer not null,
    figures blob not null,
    primary key (series, at)
) without rowid;
