-- name: span
-- Each by itself: SQLite finds one end of an index at once, but for both in one `select` it reads the whole table.
select (select min(id) from {table}), (select max(id) from {table});

-- name: fields
select names from fields where kind = 'run';

-- name: sources
select id, worker, project, environment from sources;

-- name: run_ids
-- One of these for each source, put together with `union all`: SQLite merges them in their order as far as is asked.
select id from runs {index} where id >= :low and id < :high {conditions}

-- name: line_ids
select id from lines {index} where id >= :low and id < :high {conditions}

-- name: newest
{ids} order by id desc limit :limit

-- name: runs
select runs.id, worker, project, environment,
    (select word from words where words.id = version),
    (select word from words where words.id = "trigger"),
    status,
    (select word from words where words.id = outcome),
    duration, path, request_id, error, json(rest)
from runs join sources on sources.id = source
where runs.id in ({ids})
order by runs.id desc;

-- name: lines
select lines.id, worker, project, environment,
    (select word from words where words.id = version),
    level, run, text, thrown, fields
from lines join sources on sources.id = source
where lines.id in ({ids})
order by lines.id desc;

-- name: by_request
select id from runs where request_id = :request

-- name: runs_with_lines
-- Which runs printed the text.
select distinct run from lines
where id >= :low and id < :high and run is not null and text like :text escape '\';
