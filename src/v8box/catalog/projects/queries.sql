-- name: projects
select name, title, quotas, state, created_at from projects order by name

-- name: add_project
insert into projects (name, title, quotas, state, created_at) values (?, ?, ?, 'active', ?)

-- name: change_project
update projects set title = :title, quotas = :quotas, state = :state where name = :name

-- name: remove_project
delete from projects where name = :name

-- name: usage_of_day
select project, requests, cpu_seconds from usage where day = :day

-- name: usage_of_project
-- The days from one on, oldest first.
select day, requests, cpu_seconds from usage where project = :project and day >= :since order by day

-- name: set_usage
insert into usage (project, day, requests, cpu_seconds) values (?, ?, ?, ?)
on conflict (project, day) do update set requests = excluded.requests, cpu_seconds = excluded.cpu_seconds

-- name: forget_usage
delete from usage where day < :before

-- name: forget_usage_of_project
delete from usage where project = :project
