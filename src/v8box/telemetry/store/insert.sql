-- name: source
insert or ignore into sources (worker, project, environment) values (?, ?, ?);

-- name: word
insert or ignore into words (word) values (?);

-- name: fields
insert or ignore into fields (kind, names) values ('run', ?);

-- name: runs
-- One statement for a whole batch: the interpreter is free until it is written. What stands in braces becomes the place
-- of that field in the record.
insert or ignore into runs
select coalesce(unhex(value ->> {id}), cast(value ->> {id} as blob)),
    (
        select id from sources
        where worker = value ->> {worker} and project = value ->> {project} and environment = value ->> {environment}
    ),
    (select id from words where word = value ->> {version}),
    (select id from words where word = value ->> {trigger}),
    value ->> {status},
    (select id from words where word = value ->> {outcome}),
    cast(round((value ->> {duration}) * 1000) as integer),
    value ->> {status} >= 400 or value ->> {outcome} <> 'ok' or value ->> {trigger} <> 'http',
    value ->> {status} >= 500 or value ->> {outcome} not in ('ok', 'refused', 'client_gone'),
    value ->> {path},
    nullif(value ->> {request_id}, value ->> {id}),
    nullif(value -> {error}, 'null'),
    jsonb_extract(value, {rest})
from jsonb_each(jsonb(cast(?1 as text)));

-- name: lines
-- Lines have no id of their own: theirs is their time, then a number that goes on (`?2`).
insert or ignore into lines
select unhex(printf('%012x%012x', cast((value ->> {time}) * 1000 as integer), ?2 + key)),
    (
        select id from sources
        where worker = value ->> {worker} and project = value ->> {project} and environment = value ->> {environment}
    ),
    (select id from words where word = value ->> {version}),
    case value ->> {level} when 'debug' then 0 when 'warn' then 2 when 'error' then 3 else 1 end,
    coalesce(unhex(value ->> {run}), cast(value ->> {run} as blob)),
    value ->> {text},
    value ->> {thrown},
    nullif(value -> {fields}, 'null')
from jsonb_each(jsonb(cast(?1 as text)));
