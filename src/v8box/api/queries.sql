-- name: claim
-- Nothing when the key is in use.
insert into idempotency (key_hash, route, body_hash, state, expires_at)
values (?, ?, ?, 'running', ?)
on conflict do nothing
returning key_hash

-- name: claimed
select route, body_hash, state, status, headers, body from idempotency where key_hash = :key_hash

-- name: keep_answer
update idempotency set state = 'done', status = :status, headers = :headers, body = :body, size = :size
where key_hash = :key_hash

-- name: forget_answer
delete from idempotency where key_hash = :key_hash

-- name: forget_expired
delete from idempotency where expires_at < :now

-- name: forget_beyond
-- The newest stay, as many as the bounds on number and bytes allow.
delete from idempotency where key_hash in (
    select key_hash from (
        select key_hash, row_number() over newest as place, sum(size) over newest as bytes
        from idempotency where state = 'done'
        window newest as (order by expires_at desc, key_hash rows unbounded preceding)
    )
    where place > :answers or bytes > :bytes
)

-- name: add_operation
insert into operations (id, kind, project, actor_kind, actor_id, actor_name, state, started_at, progress)
values (:id, :kind, :project, :actor_kind, :actor_id, :actor_name, :state, :started_at, :progress)

-- name: end_operation
update operations
set state = :state, ended_at = :ended_at, progress = :progress, result = :result, problem = :problem
where id = :id

-- name: operation
select id, kind, project, actor_kind, actor_id, actor_name, state, started_at, ended_at, progress, result, problem
from operations where id = :id

-- name: operations
-- Newest first, of the projects in a JSON list (null: of all), and of the box itself.
select id, kind, project, actor_kind, actor_id, actor_name, state, started_at, ended_at, progress, result, problem
from operations
where (:before is null or id < :before) and (:state is null or state = :state)
    and case
        when project is null then :box
        else :projects is null or project in (select value from json_each(:projects))
    end
order by id desc limit :limit

-- name: interrupt_operations
update operations set state = 'failed', ended_at = :at, problem = :problem where state = 'running'

-- name: forget_operations
delete from operations
where state != 'running'
    and (started_at < :before or id not in (select id from operations order by id desc limit :most))
