-- name: all_keys
select id, project, name, scopes, secret_hash, previous_hash, previous_until, created_at, created_by, expires_at, used_at
from api_keys order by created_at, id

-- name: insert_key
insert into api_keys (id, project, name, scopes, secret_hash, created_at, created_by, expires_at)
values (:id, :project, :name, :scopes, :secret_hash, :created_at, :created_by, :expires_at)

-- name: update_key
update api_keys set name = :name, scopes = :scopes, expires_at = :expires_at where id = :id

-- name: rotate_key
update api_keys
set secret_hash = :secret_hash, previous_hash = :previous_hash, previous_until = :previous_until
where id = :id

-- name: note_used
update api_keys set used_at = :used_at where id = :id

-- name: delete_key
delete from api_keys where id = :id
