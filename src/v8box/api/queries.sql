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
