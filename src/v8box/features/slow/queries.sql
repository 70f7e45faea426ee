-- name: put
insert into slow (day, project, environment, worker, method, pattern, figures)
values (:day, :project, :environment, :worker, :method, :pattern, :figures)
on conflict (project, day, environment, worker, method, pattern) do update set figures = excluded.figures

-- name: of_day
select project, environment, worker, method, pattern, figures from slow where day = :day

-- name: since
select environment, worker, method, pattern, figures from slow
where project = :project and day >= :day
    and (:worker is null or worker = :worker)
    and (:environment is null or environment = :environment)

-- name: prune
delete from slow where day < :day

-- name: forget_project
delete from slow where project = :project
