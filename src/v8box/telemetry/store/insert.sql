-- name: source
-- The same place again has the number that it had.
insert into sources (worker, project, environment) values (?, ?, ?)
on conflict do update set worker = excluded.worker
returning id;

-- name: word
insert into words (word) values (?) on conflict do update set word = excluded.word returning id;

-- name: fields
insert or ignore into fields (kind, names) values ('run', ?);

-- name: runs
-- Many rows in one statement: the interpreter is free until they are written, and each costs a fraction of what one by
-- one would. (`rows` are places for as many rows as there are.)
insert or ignore into runs (
    id, source, version, "trigger", status, outcome, duration, rare, failed, path, request_id, error, rest
) values {rows};

-- name: lines
insert or ignore into lines (id, source, version, level, run, text, thrown, fields) values {rows};
