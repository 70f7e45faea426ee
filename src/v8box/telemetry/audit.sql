-- name: last
-- The newest entry; what is kept beside the log, since all entries may be gone by their age.
select number, hash from audit_head

-- name: append
insert into audit (
    number, at, project, actor_kind, actor_id, actor_name, address, request_id, action, resource, before, after,
    previous, hash
)
values (
    :number, :at, :project, :actor_kind, :actor_id, :actor_name, :address, :request_id, :action, :resource, :before,
    :after, :previous, :hash
)

-- name: set_head
update audit_head set number = :number, hash = :hash

-- name: after
-- The next entries, oldest first, as many as one read may hold.
select * from audit where number > :after order by number limit 500

-- name: first
select min(number) from audit

-- name: last_before
-- The last entry that is older than a time, and follows none that is younger; no further than one pass removes.
select number, hash from audit
where number < coalesce(
        (select number from audit where at >= :before order by number limit 1), (select number + 1 from audit_head)
    )
    and number < (select min(number) from audit) + :most
order by number desc limit 1

-- name: last_beyond
-- The last entry of one pass over the oldest, when there are so many more than the bound.
select number, hash from audit
where number < (select min(number) from audit) + :pass
    and (select min(number) from audit) + :pass + :most <= (select number + 1 from audit_head)
order by number desc limit 1

-- name: remove_through
delete from audit where number <= :number
