-- What became of files that were made smaller: the same file, in whichever site and release of the project, is not worked
-- on again. Each project has its own: what a hostile file made of the process must not reach another one's sites.

create table optimised (
    project text not null,
    key text not null,      -- of the file as it was deployed
    recipe text not null,   -- what was done to it, with the version of that
    outcome blob not null,  -- msgpack: the keys of what came out
    at integer not null,    -- when it was last of use, Unix time in seconds
    primary key (project, key, recipe)
) strict;

create index optimised_by_time on optimised (at);
