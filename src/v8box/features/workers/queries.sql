-- name: keep_canary
insert into canaries (project, worker, environment, state, body, ended_at)
values (:project, :worker, :environment, :state, :body, :ended_at)
on conflict (project, worker, environment) do update
set state = excluded.state, body = excluded.body, ended_at = excluded.ended_at

-- name: canary
select body from canaries where project = :project and worker = :worker and environment = :environment

-- name: canaries_under_way
select body from canaries where ended_at is null

-- name: forget_canaries
delete from canaries where ended_at < :before
