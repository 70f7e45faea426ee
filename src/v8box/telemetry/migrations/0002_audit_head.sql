-- What the newest entry is, so that taking entries off the end shows too.

create table audit_head (
    only integer primary key check (only = 1),
    number integer not null,
    hash text not null
) strict;

insert into audit_head (only, number, hash)
select 1, coalesce(max(number), 0), coalesce((select hash from audit order by number desc limit 1), '') from audit;

create index audit_by_action on audit (action, number);
