-- name: add
insert into s3_keys (id, project, label, buckets, permissions, created, expires)
values (:id, :project, :label, :buckets, :permissions, :created, :expires)

-- name: find
select id, project, label, buckets, permissions, created, expires, last_used, revoked
from s3_keys
where id = :id

-- name: list
-- The newest first, those that ended too.
select id, project, label, buckets, permissions, created, expires, last_used, revoked
from s3_keys
where project = :project
order by created desc, id

-- name: any
select id from s3_keys limit 1

-- name: count_usable
select count(*) from s3_keys
where project = :project and revoked is null and (expires is null or expires > :now)

-- name: forget_ended
-- Those that ended before a time are no longer worth a line.
delete from s3_keys
where project = :project and (revoked < :before or expires < :before)

-- name: revoke
-- Revoked twice keeps the first time.
update s3_keys set revoked = coalesce(revoked, :now)
where id = :id and project = :project
returning id

-- name: used
update s3_keys set last_used = max(coalesce(last_used, 0), :now) where id = :id
