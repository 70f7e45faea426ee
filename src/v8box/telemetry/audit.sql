-- name: last
select number, hash from audit order by number desc limit 1

-- name: append
insert into audit (
    number, at, project, actor_kind, actor_id, actor_name, address, request_id, action, resource, before, after,
    previous, hash
)
values (
    :number, :at, :project, :actor_kind, :actor_id, :actor_name, :address, :request_id, :action, :resource, :before,
    :after, :previous, :hash
)

-- name: after
-- The next entries, oldest first, as many as one read may hold.
select * from audit where number > :after order by number limit 1000
